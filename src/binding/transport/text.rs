//! Records in words, for what is rare: lines of fields with spaces between them.

use std::net::SocketAddr;
use std::ops::Range;

use crate::net::transport::{DialError, DialFault, Fault, FileFault, FileOperation, Operation};

/// Two addresses, ours first.
pub(super) fn of_addresses(local: SocketAddr, remote: SocketAddr) -> String {
    format!("{}\n{}", of_address(local), of_address(remote))
}

/// `ip port`
pub(super) fn of_address(address: SocketAddr) -> String {
    format!("{} {}", address.ip(), address.port())
}

/// `operation code`
pub(super) fn of_fault(fault: Fault) -> String {
    format!("{} {}", name_of(fault.operation), fault.code)
}

/// The first line is `1` if the time for all was over, then `ip port operation code` of each attempt, with
/// `timeout 0` where another was begun instead.
pub(super) fn of_dial(error: &DialError) -> String {
    let attempts = error.attempts.iter().map(|(address, fault)| {
        let fault = match fault {
            DialFault::System(fault) => of_fault(*fault),
            DialFault::TimedOut => "timeout 0".into(),
        };
        format!("{} {fault}", of_address(*address))
    });
    let first = u8::from(error.is_timeout).to_string();
    [first]
        .into_iter()
        .chain(attempts)
        .collect::<Vec<_>>()
        .join("\n")
}

/// `operation code`, or what is wrong with the file itself.
pub(super) fn of_file_fault(fault: FileFault) -> String {
    match fault {
        FileFault::System { operation, code } => {
            let name = match operation {
                FileOperation::Open => "open",
                FileOperation::Read => "read",
                FileOperation::Stat => "stat",
            };
            format!("{name} {code}")
        }
        FileFault::Changed => "changed".into(),
        FileFault::Short => "short".into(),
        FileFault::NotAFile => "type".into(),
    }
}

/// `start end` of each.
pub(super) fn of_ranges(ranges: &[Range<u32>]) -> String {
    let lines = ranges
        .iter()
        .map(|Range { start, end }| format!("{start} {end}"));
    lines.collect::<Vec<_>>().join("\n")
}

/// As Node names the call.
fn name_of(operation: Operation) -> &'static str {
    match operation {
        Operation::Accept => "accept",
        Operation::Bind => "bind",
        Operation::Connect => "connect",
        Operation::Listen => "listen",
        Operation::Read => "read",
        Operation::Shutdown => "shutdown",
        Operation::Write => "write",
    }
}
