//! The model: extended handshakes (BEP 10 <https://www.bittorrent.org/beps/bep_0010.html>).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use peer_wire::protocol::{Event, ExtendedHandshake, ExtensionError, ProtocolError};

use super::Model;
use super::bencode::{self, Value};
use crate::support::drive::{Delivered, joined};
use crate::support::frames;

/// What one side has announced in all its extended handshakes.
#[derive(Debug, Default)]
pub(crate) struct Announcements {
    /// Of the extensions that are on.
    pub(crate) ids: BTreeMap<String, u8>,
    /// The same ids, and the newest value of each other field.
    pub(crate) merged: ExtendedHandshake,
}

impl Announcements {
    /// The first by name.
    pub(crate) fn name_of(&self, id: u8) -> Option<&str> {
        let mut ids = self.ids.iter();
        ids.find(|(_, known)| **known == id)
            .map(|(name, _)| name.as_str())
    }

    /// Takes in the payload of an extended handshake; returns whether it is a dictionary. Otherwise
    /// nothing of it counts.
    pub(crate) fn receive(&mut self, payload: &[u8]) -> bool {
        let Some((Value::Dictionary(entries), _)) = bencode::read(payload) else {
            return false;
        };
        let newest: BTreeMap<_, _> = entries.into_iter().collect();
        for (key, value) in newest {
            match value {
                Value::Integer(number) => self.receive_number(&key, number),
                Value::Bytes(bytes) => self.receive_bytes(&key, &bytes),
                Value::Dictionary(names) if key == b"m" => self.switch(read_names(names)),
                Value::Dictionary(_) | Value::List => {}
            }
        }
        true
    }

    /// A number out of range is none.
    fn receive_number(&mut self, key: &[u8], number: i64) {
        let merged = &mut self.merged;
        match key {
            b"complete_ago" => merged.complete_ago = Some(number),
            b"e" => merged.prefers_encryption = Some(number != 0),
            b"metadata_size" => {
                merged.metadata_size = number.try_into().ok().or(merged.metadata_size);
            }
            b"p" => merged.port = number.try_into().ok().or(merged.port),
            b"reqq" => merged.queue_depth = number.try_into().ok().or(merged.queue_depth),
            b"upload_only" => merged.upload_only = Some(number != 0),
            _ => {}
        }
    }

    /// An address of another length is none.
    fn receive_bytes(&mut self, key: &[u8], bytes: &[u8]) {
        let merged = &mut self.merged;
        let ipv4 = <[u8; 4]>::try_from(bytes).ok().map(Ipv4Addr::from);
        let ipv6 = <[u8; 16]>::try_from(bytes).ok().map(Ipv6Addr::from);
        match key {
            b"ipv4" => merged.ipv4 = ipv4.or(merged.ipv4),
            b"ipv6" => merged.ipv6 = ipv6.or(merged.ipv6),
            b"v" => {
                merged.client = Some(String::from_utf8_lossy(bytes).chars().take(256).collect());
            }
            b"yourip" => {
                let ip = ipv4.map(IpAddr::V4).or(ipv6.map(IpAddr::V6));
                merged.your_ip = ip.or(merged.your_ip);
            }
            _ => {}
        }
    }

    /// Takes in a handshake of ours.
    fn announce(&mut self, handshake: &ExtendedHandshake) {
        self.switch(handshake.extensions.iter().cloned().collect());
        let (old, new) = (&self.merged, handshake.clone());
        self.merged = ExtendedHandshake {
            extensions: old.extensions.clone(),
            client: new.client.or(old.client.clone()),
            port: new.port.or(old.port),
            your_ip: new.your_ip.or(old.your_ip),
            ipv4: new.ipv4.or(old.ipv4),
            ipv6: new.ipv6.or(old.ipv6),
            queue_depth: new.queue_depth.or(old.queue_depth),
            metadata_size: new.metadata_size.or(old.metadata_size),
            prefers_encryption: new.prefers_encryption.or(old.prefers_encryption),
            upload_only: new.upload_only.or(old.upload_only),
            complete_ago: new.complete_ago.or(old.complete_ago),
        };
    }

    /// Id 0 switches an extension off, which makes room for others; 255 can be on.
    fn switch(&mut self, names: BTreeMap<String, u8>) {
        self.ids.retain(|name, _| names.get(name) != Some(&0));
        for (name, id) in names {
            if id > 0 && (self.ids.contains_key(&name) || self.ids.len() < 255) {
                self.ids.insert(name, id);
            }
        }
        self.merged.extensions = self.ids.clone().into_iter().collect();
    }
}

/// The first 255 entries that make sense; the newest id of a name that comes again.
fn read_names(entries: Vec<(Vec<u8>, Value)>) -> BTreeMap<String, u8> {
    let read = |(name, id): (Vec<u8>, Value)| {
        let name = String::from_utf8(name).ok()?;
        match id {
            Value::Integer(id) if (1..=64).contains(&name.len()) => {
                Some((name, id.try_into().ok()?))
            }
            _ => None,
        }
    };
    entries.into_iter().filter_map(read).take(255).collect()
}

impl Model {
    pub(crate) fn read_extended_handshakes(&mut self) {
        self.peer_extensions.get_or_insert_default();
        self.own_extensions.get_or_insert_default();
    }

    pub(crate) fn extended_handshake(&mut self, handshake: &ExtendedHandshake) {
        self.read_extended_handshakes();
        self.send(&frames::extended(0, &encoded(handshake)));
        let own = self.own_extensions.as_mut().unwrap();
        own.announce(handshake);
    }

    pub(crate) fn extension(&mut self, name: &str, payload: &[u8]) -> Result<(), ExtensionError> {
        let peer = self.peer_extensions.as_ref();
        let id = peer.and_then(|peer| peer.ids.get(name));
        let id = *id.ok_or(ExtensionError::NotAnnounced)?;
        self.send(&frames::extended(id, payload));
        Ok(())
    }

    pub(super) fn apply_extended(
        &mut self,
        id: u8,
        payload: &[u8],
    ) -> Result<Delivered, ProtocolError> {
        let payload_of_event = joined(payload);
        let Some(peer) = self.peer_extensions.as_mut().filter(|_| id == 0) else {
            let payload = payload_of_event;
            return Ok(Event::Extended { id, payload });
        };
        let is_valid = peer.receive(payload);
        self.send_waiting();
        if !is_valid {
            self.tolerate(ProtocolError::ExtendedHandshake)?;
        }
        let payload = payload_of_event;
        Ok(Event::ExtendedHandshake { payload, is_valid })
    }
}

/// The payload: keys sorted, each name once, `m` always there.
fn encoded(handshake: &ExtendedHandshake) -> Vec<u8> {
    let names: BTreeMap<_, _> = handshake.extensions.iter().cloned().collect();
    let names = names
        .iter()
        .flat_map(|(name, id)| entry(name, &number(*id)));
    let m = [b"d", names.collect::<Vec<_>>().as_slice(), b"e"].concat();
    let your_ip = handshake.your_ip.map(|ip| match ip {
        IpAddr::V4(ip) => text(&ip.octets()),
        IpAddr::V6(ip) => text(&ip.octets()),
    });
    let fields = [
        ("complete_ago", handshake.complete_ago.map(number)),
        ("e", handshake.prefers_encryption.map(number)),
        ("ipv4", handshake.ipv4.map(|ip| text(&ip.octets()))),
        ("ipv6", handshake.ipv6.map(|ip| text(&ip.octets()))),
        ("m", Some(m)),
        ("metadata_size", handshake.metadata_size.map(number)),
        ("p", handshake.port.map(number)),
        ("reqq", handshake.queue_depth.map(number)),
        ("upload_only", handshake.upload_only.map(number)),
        ("v", handshake.client.as_ref().map(|v| text(v.as_bytes()))),
        ("yourip", your_ip),
    ];
    let present = fields
        .iter()
        .filter_map(|(key, value)| Some(entry(key, value.as_ref()?)));
    [b"d".to_vec(), present.flatten().collect(), b"e".to_vec()].concat()
}

fn entry(key: &str, value: &[u8]) -> Vec<u8> {
    [text(key.as_bytes()), value.to_vec()].concat()
}

fn number(number: impl Into<i64>) -> Vec<u8> {
    format!("i{}e", number.into()).into_bytes()
}

fn text(bytes: &[u8]) -> Vec<u8> {
    [format!("{}:", bytes.len()).as_bytes(), bytes].concat()
}
