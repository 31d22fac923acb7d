//! The extension protocol (BEP 10 <https://www.bittorrent.org/beps/bep_0010.html>): what the two
//! sides announce to each other in message 20, and under which ids they send extensions.
//!
//! | module           | knows                                                            |
//! | ---------------- | ---------------------------------------------------------------- |
//! | [`bencode`]      | values in bounded memory and depth                               |
//! | `dont_have.rs`   | the message of `lt_donthave`                                     |
//! | `handshake.rs`   | the fields of an extended handshake                              |
//! | this file        | what a side has announced, over all its handshakes               |
//! | `holepunch.rs`   | messages of `ut_holepunch`                                       |
//! | [`metadata`]     | the messages of `ut_metadata`, and what both sides do            |
//! | `pex`            | `ut_pex`: its messages, and what two peers have told each other  |
//! | `upload_only.rs` | messages of `upload_only`                                        |
//!
//! The bytes come from the payload of [`Message::Extended`](super::Message::Extended): with id 0 they
//! are a handshake. A wire carries the messages of extensions and does not know what they mean.

pub mod bencode;
mod dont_have;
mod handshake;
mod holepunch;
pub mod metadata;
mod pex;
mod upload_only;

use std::collections::BTreeMap;

pub use dont_have::DontHave;
pub use handshake::ExtendedHandshake;
pub use holepunch::{Holepunch, HolepunchError};
pub use pex::{PeerExchange, PexContact, PexFlags, PexMessage, PexReceived};
pub use upload_only::UploadOnly;

/// What one side has announced so far: all its extended handshakes, merged.
///
/// Holds at most [`ExtendedHandshake::MAX_EXTENSIONS`] names, however often the side announces.
#[derive(Clone, Debug, Default)]
pub struct Announced {
    /// `extensions` is sorted by name, without ids of 0.
    merged: ExtendedHandshake,
}

impl Announced {
    /// Takes in a handshake. A side may send several: names are added to those known, id 0
    /// switches an extension off, and what a handshake leaves out keeps its value.
    pub fn apply(&mut self, update: ExtendedHandshake) {
        // By name, so that a new field cannot be forgotten.
        let ExtendedHandshake {
            extensions,
            client,
            port,
            your_ip,
            ipv4,
            ipv6,
            queue_depth,
            metadata_size,
            prefers_encryption,
            upload_only,
            complete_ago,
        } = update;
        self.apply_extensions(extensions);
        let merged = &mut self.merged;
        replace(&mut merged.client, client);
        replace(&mut merged.port, port);
        replace(&mut merged.your_ip, your_ip);
        replace(&mut merged.ipv4, ipv4);
        replace(&mut merged.ipv6, ipv6);
        replace(&mut merged.queue_depth, queue_depth);
        replace(&mut merged.metadata_size, metadata_size);
        replace(&mut merged.prefers_encryption, prefers_encryption);
        replace(&mut merged.upload_only, upload_only);
        replace(&mut merged.complete_ago, complete_ago);
    }

    /// The id under which the side wants the messages of this extension, never 0; `None` if the
    /// extension is off.
    pub fn id_of(&self, name: &str) -> Option<u8> {
        let (_, id) = self.merged.extensions.get(self.place_of(name).ok()?)?;
        Some(*id)
    }

    /// The extension that has this id; of several the first by name.
    pub fn name_of(&self, id: u8) -> Option<&str> {
        let mut extensions = self.merged.extensions.iter();
        extensions
            .find(|(_, known)| *known == id)
            .map(|(name, _)| name.as_str())
    }

    /// The merged handshake: the extensions that are on, and the last value of each field.
    pub fn handshake(&self) -> &ExtendedHandshake {
        &self.merged
    }

    fn apply_extensions(&mut self, update: Vec<(String, u8)>) {
        // Of a name that comes twice, the last id counts, as in the encoded handshake.
        let update: BTreeMap<_, _> = update.into_iter().collect();
        let (on, off): (Vec<_>, Vec<_>) = update.into_iter().partition(|(_, id)| *id != 0);
        // First, so that those that go make room for those that come.
        for (name, _) in off {
            if let Ok(place) = self.place_of(&name) {
                self.merged.extensions.remove(place);
            }
        }
        for (name, id) in on {
            self.switch_on(name, id);
        }
    }

    fn switch_on(&mut self, name: String, id: u8) {
        let place = self.place_of(&name);
        let extensions = &mut self.merged.extensions;
        match place {
            Ok(place) => {
                if let Some((_, known)) = extensions.get_mut(place) {
                    *known = id;
                }
            }
            Err(place) if extensions.len() < ExtendedHandshake::MAX_EXTENSIONS => {
                extensions.insert(place, (name, id));
            }
            Err(_) => {}
        }
    }

    /// Where the name is, or where it belongs.
    fn place_of(&self, name: &str) -> Result<usize, usize> {
        let extensions = &self.merged.extensions;
        extensions.binary_search_by(|(known, _)| known.as_str().cmp(name))
    }
}

/// Keeps the value where there is no new one.
fn replace<T>(field: &mut Option<T>, update: Option<T>) {
    if update.is_some() {
        *field = update;
    }
}
