//! The key exchange (Diffie and Hellman), and what is derived from the secret that it gives.

use std::array::from_fn;
use std::fmt;
use std::sync::LazyLock;

use crypto_bigint::modular::{ConstMontyForm, ConstMontyParams};
use crypto_bigint::{Choice, CtAssign, U768, const_monty_params};
use sha1::{Digest, Sha1};

use super::cipher::Cipher;
use crate::protocol::InfoHash;

// The prime of the exchange. It looks like the first Oakley group, "modp1" of OpenSSL, and is
// another number: 0x90564 more.
const_monty_params!(
    Prime,
    U768,
    "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404dd\
     ef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a63a36210000000000090563"
);

/// Numbers modulo the prime.
type Residue = ConstMontyForm<Prime, { U768::LIMBS }>;

/// Bytes of a public key, and of the secret: both have leading zeros, one in 256 of them.
pub(super) const KEY_LEN: usize = 96;

/// The secret number of one side: 160 random bits, as many as other clients take.
#[derive(Clone)]
pub struct PrivateKey([u8; Self::LEN]);

impl PrivateKey {
    /// Size in bytes.
    pub const LEN: usize = 20;

    /// Takes random bytes, the highest first. Zero is refused by every peer.
    pub const fn new(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// What the peer gets: 96 bytes with leading zeros.
    pub fn public_key(&self) -> [u8; KEY_LEN] {
        // As the base is always the same, powers of it are at hand.
        let mut power = Residue::ONE;
        for column in (0..COLUMNS).rev() {
            power = power.square().mul(&factor_of(self.column(column)));
        }
        to_bytes(&power)
    }

    /// The bits of the number at this place and each `COLUMNS` further.
    fn column(&self, at: u32) -> u32 {
        let (words, _) = self.0.as_chunks();
        let words = words.iter().map(|word| u32::from_be_bytes(*word));
        words.fold(0, |bits, word| bits << 1 | (word >> at & 1))
    }

    /// The secret shared with the peer that sent `peer_key`; `None` for a key with which everybody
    /// would know it.
    // With 0, 1 and the largest residue the secret is one of these three. Those above are no
    // residues, and no client that follows the rules makes any of them.
    pub(super) fn agree(&self, peer_key: &[u8; KEY_LEN]) -> Option<Secret> {
        let peer_key = U768::from_be_slice(peer_key);
        let largest = Prime::PARAMS.modulus().as_ref().wrapping_sub(&U768::ONE);
        (peer_key > U768::ONE && peer_key < largest).then(|| Secret(self.raise(&peer_key)))
    }

    fn raise(&self, base: &U768) -> [u8; KEY_LEN] {
        let mut exponent = [0; U768::BYTES];
        for (to, from) in exponent.iter_mut().rev().zip(self.0.iter().rev()) {
            *to = *from;
        }
        let exponent = U768::from_be_slice(&exponent);
        to_bytes(&Residue::new(base).pow_amm_bounded_exp(&exponent, EXPONENT_BITS))
    }
}

/// The factor of a column, read in the same time for each.
fn factor_of(column: u32) -> Residue {
    let mut factor = Residue::ONE;
    for (bits, candidate) in (0..).zip(FACTORS.iter()) {
        factor.ct_assign(candidate, Choice::from_u32_eq(bits, column));
    }
    factor
}

fn to_bytes(residue: &Residue) -> [u8; KEY_LEN] {
    let mut bytes = [0; KEY_LEN];
    bytes.copy_from_slice(residue.retrieve().to_be_bytes().as_ref());
    bytes
}

/// For each choice of bits in a column: the product of 2 to the numbers that have one of them alone.
static FACTORS: LazyLock<[Residue; 1 << ROWS]> = LazyLock::new(|| {
    let mut base = Residue::new(&U768::from(2_u8));
    let bases: [Residue; ROWS] = from_fn(|_| {
        let this = base;
        base = base.square_repeat_vartime(COLUMNS);
        this
    });
    from_fn(|bits| {
        let chosen = (0..).zip(bases).filter(|(row, _)| bits >> row & 1 == 1);
        chosen.fold(Residue::ONE, |product, (_, base)| product.mul(&base))
    })
});

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(..)")
    }
}

/// What both sides know after the exchange of keys, and nobody else.
#[derive(Clone)]
pub(super) struct Secret([u8; KEY_LEN]);

impl Secret {
    /// What the initiator sends to say where its pad ends.
    pub(super) fn sync_hash(&self) -> [u8; 20] {
        hash(&[b"req1", &self.0])
    }

    /// Hides the name of a torrent; done twice it shows it again.
    pub(super) fn mask(&self, name: ObfuscatedHash) -> ObfuscatedHash {
        let mut masked = hash(&[b"req3", &self.0]);
        for (to, from) in masked.iter_mut().zip(name.0) {
            *to ^= from;
        }
        ObfuscatedHash(masked)
    }

    /// The cipher of what the initiator sends.
    pub(super) fn cipher_a(&self, info_hash: &InfoHash) -> Cipher {
        Cipher::rc4(&hash(&[b"keyA", &self.0, info_hash.as_bytes()]))
    }

    /// The cipher of what the responder sends.
    pub(super) fn cipher_b(&self, info_hash: &InfoHash) -> Cipher {
        Cipher::rc4(&hash(&[b"keyB", &self.0, info_hash.as_bytes()]))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The name under which the peer asks for a torrent without showing its info hash: a hash of that.
///
/// Who serves torrents keeps a map from these to their info hashes.
///
/// ```
/// use std::collections::HashMap;
///
/// use peer_wire::encryption::ObfuscatedHash;
/// use peer_wire::protocol::InfoHash;
///
/// let torrents = [InfoHash::new([1; 20]), InfoHash::new([2; 20])];
/// let names: HashMap<_, _> = torrents.map(|hash| (ObfuscatedHash::of(&hash), hash)).into();
/// # assert_eq!(names[&ObfuscatedHash::of(&torrents[1])], torrents[1]);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ObfuscatedHash([u8; 20]);

impl ObfuscatedHash {
    /// That of a torrent. One of version 2 has the info hash that a handshake has for it.
    pub fn of(info_hash: &InfoHash) -> Self {
        Self(hash(&[b"req2", info_hash.as_bytes()]))
    }

    /// Wraps the 20 bytes in network order.
    pub const fn new(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }

    /// The 20 bytes in network order.
    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

impl fmt::Debug for ObfuscatedHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ObfuscatedHash(")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

fn hash(parts: &[&[u8]]) -> [u8; 20] {
    let mut hash = Sha1::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

/// Bits of a private key.
const EXPONENT_BITS: u32 = 160;

/// The same, in rows of this length.
const COLUMNS: u32 = 32;
const ROWS: usize = 5;
