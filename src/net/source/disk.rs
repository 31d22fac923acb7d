//! What the system says of a file: its bytes, what tells it from others, and why it cannot be read.

use std::fs::{File, Metadata};
use std::io;
use std::time::SystemTime;

/// Why a file cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFault {
    /// A call of the system has failed.
    System {
        /// Which.
        operation: FileOperation,
        /// The number of the system's error, 0 if it has none.
        code: i32,
    },
    /// It is not as it was: what was in it is lost.
    Changed,
    /// It ends too early.
    Short,
    /// It is a folder, or something else that has no content.
    NotAFile,
}

/// A call of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileOperation {
    /// Opening.
    Open,
    /// Reading.
    Read,
    /// Asking for size and time.
    Stat,
}

/// What tells a file from what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    len: u64,
    modified: Option<SystemTime>,
    /// Its number on its disk, where the system has one.
    inode: (u64, u64),
}

impl Identity {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            len: metadata.len(),
            modified: metadata.modified().ok(),
            inode: inode(metadata),
        }
    }
}

pub(super) fn stat(file: &File) -> Result<Metadata, FileFault> {
    file.metadata().map_err(failed(FileOperation::Stat))
}

pub(super) fn failed(operation: FileOperation) -> impl Fn(io::Error) -> FileFault {
    move |error| FileFault::System {
        operation,
        code: error.raw_os_error().unwrap_or(0),
    }
}

pub(super) fn read_exactly(file: &File, mut offset: u64, out: &mut [u8]) -> Result<(), FileFault> {
    let mut rest = out;
    while !rest.is_empty() {
        match read_at(file, rest, offset) {
            Ok(0) => return Err(FileFault::Short),
            Ok(len) => {
                rest = rest.get_mut(len..).unwrap_or_default();
                offset = offset.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(FileOperation::Read)(error)),
        }
    }
    Ok(())
}

#[cfg(unix)]
fn read_at(file: &File, out: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, out, offset)
}

#[cfg(windows)]
fn read_at(file: &File, out: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, out, offset)
}

#[cfg(unix)]
fn inode(metadata: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

#[cfg(windows)]
fn inode(_: &Metadata) -> (u64, u64) {
    (0, 0)
}

/// Whether an open file has no name any more.
#[cfg(unix)]
pub(super) fn is_removed(metadata: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(metadata) == 0
}

#[cfg(windows)]
pub(super) fn is_removed(_: &Metadata) -> bool {
    false
}
