//! What docs/architecture.md says of the messages, against the table in the code.
#![cfg(test)]

use std::path::Path;

use peer_wire::protocol::{MessageId, MessageKind};

#[test]
fn table_in_the_docs_matches_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/architecture.md");
    let docs = std::fs::read_to_string(path).unwrap();
    let table = table();
    assert!(docs.contains(&table), "the docs lack this table:\n{table}");
}

#[test]
fn each_id_has_the_kind_of_its_name_and_its_place_in_the_order() {
    let kinds = MessageKind::ALL.into_iter().filter_map(MessageKind::id);
    assert!(kinds.eq(MessageId::ALL.iter().copied()));
    for kind in MessageKind::ALL {
        if let Some(id) = kind.id() {
            assert_eq!(format!("{kind:?}"), format!("{id:?}"));
            assert_eq!(MessageId::from_byte(id.byte()), Some(id));
        }
    }
}

/// All rows, padded as the formatter of the docs does it.
fn table() -> String {
    let head = ["id", "name", "BEP", "fields", "payload"].map(str::to_owned);
    let rows: Vec<[String; 5]> = std::iter::once(head)
        .chain(MessageId::ALL.iter().copied().map(row))
        .collect();
    let widths =
        [0, 1, 2, 3, 4].map(|at| rows.iter().map(|row| row[at].len().max(3)).max().unwrap());
    let line = |cells: [String; 5]| format!("| {} |\n", cells.join(" | "));
    let mut lines = rows.into_iter().map(|row| {
        let mut padded = row
            .into_iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        line(std::array::from_fn(|_| padded.next().unwrap()))
    });
    let head = lines.next().unwrap();
    let rule = line(widths.map(|width| "-".repeat(width)));
    [head, rule].into_iter().chain(lines).collect()
}

fn row(id: MessageId) -> [String; 5] {
    let bep = id.bep();
    [
        id.byte().to_string(),
        format!("`{id:?}`"),
        format!("[{bep}](https://www.bittorrent.org/beps/bep_{bep:04}.html)"),
        id.field_names().join(", "),
        if id.has_payload() { "yes" } else { "" }.to_owned(),
    ]
}
