//! What extended handshakes are made of (BEP 10 <https://www.bittorrent.org/beps/bep_0010.html>):
//! parts of which most make sense, and few enough that they come again.

/// A document with these names in its `m`, between these fields.
pub(crate) fn document(before: &[&[u8]], names: &[&[u8]], after: &[&[u8]]) -> Vec<u8> {
    let [before, names, after] = [before, names, after].map(<[&[u8]]>::concat);
    [b"d", before.as_slice(), b"1:md", &names, b"e", &after, b"e"].concat()
}

/// Names of the extensions in [`IDS`], and some that are in none.
pub(crate) const NAMES: [&str; 7] = ["a", "b", "ut_metadata", "ut_pex", "", "m", "UT_PEX"];

/// Entries of `m`: names with their ids.
pub(crate) const IDS: [&[u8]; 18] = [
    b"1:ai0e",
    b"1:ai1e",
    b"1:ai2e",
    b"1:bi0e",
    b"1:bi1e",
    b"1:bi255e",
    b"11:ut_metadatai0e",
    b"11:ut_metadatai3e",
    b"6:ut_pexi0e",
    b"6:ut_pexi1e",
    b"6:ut_pexi02e",
    b"6:ut_pexi256e",
    b"6:ut_pexi-1e",
    b"6:ut_pex1:1",
    b"1:ale",
    b"0:i1e",
    b"1:\xffi1e",
    b"65:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaai1e",
];

/// Keys with values, and other values of `m`.
pub(crate) const FIELDS: [&[u8]; 40] = [
    b"12:complete_agoi-1e",
    b"12:complete_agoi9223372036854775807e",
    b"12:complete_ago2:-1",
    b"1:ei0e",
    b"1:ei1e",
    b"1:e1:1",
    b"4:ipv44:abcd",
    b"4:ipv44:efgh",
    b"4:ipv43:abc",
    b"4:ipv616:abcdefghijklmnop",
    b"4:ipv616:ponmlkjihgfedcba",
    b"4:ipv64:abcd",
    b"1:mde",
    b"1:md1:ai2ee",
    b"1:mi1e",
    b"1:mle",
    b"13:metadata_sizei0e",
    b"13:metadata_sizei31235e",
    b"13:metadata_sizei-1e",
    b"1:pi0e",
    b"1:pi6881e",
    b"1:pi65536e",
    b"1:p4:6881",
    b"4:reqqi1e",
    b"4:reqqi250e",
    b"4:reqqi4294967296e",
    b"4:reqqde",
    b"11:upload_onlyi0e",
    b"11:upload_onlyi-2e",
    b"11:upload_only0:",
    b"1:v0:",
    b"1:v3:x 1",
    b"1:v4:\xce\xbc \xff",
    b"1:vle",
    b"6:yourip4:abcd",
    b"6:yourip16:abcdefghijklmnop",
    b"6:yourip5:abcde",
    b"6:youripi1e",
    b"3:keyd1:al1:bi1eee",
    b"0:0:",
];

/// A document with one of these is none.
pub(crate) const NO_FIELDS: [&[u8]; 8] = [
    b"i1ei1e",
    b"lei1e",
    b"1:x",
    b"1:xi1",
    b"1:xi-e",
    b"1:xi9223372036854775808e",
    b"1:x9:abc",
    b"1:x0000000001:a",
];
