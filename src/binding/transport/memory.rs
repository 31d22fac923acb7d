//! Slabs: memory that the I/O thread fills and JavaScript reads as an `ArrayBuffer`.
//!
//! It belongs to Rust and lives until both have dropped it, whatever JavaScript does with its `ArrayBuffer`: one
//! that is transferred or garbage collected only drops a reference.
#![expect(unsafe_code, reason = "the memory is shared with JavaScript")]

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ffi::c_void;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use napi::{Result, sys};

use super::pool::Pool;
use crate::binding::call::{check, fault};
use crate::net::transport::Slab;

/// Size of a slab in bytes: 64 blocks. Each costs JavaScript some ten microseconds.
const SLAB_LEN: usize = 1024 * 1024;

/// All that Rust and JavaScript see of it are addresses: what each may touch is said where it does.
#[derive(Debug)]
pub(super) struct Memory {
    /// None while it is dropped.
    block: Option<Block>,
}

/// Memory of [`LAYOUT`] that is freed when it is dropped.
#[derive(Debug)]
struct Block {
    data: NonNull<u8>,
}

// SAFETY: it is an address of memory that no thread owns, which is freed when it is dropped.
unsafe impl Send for Block {}
// SAFETY: as above. Its methods only copy the address.
unsafe impl Sync for Block {}

/// Slabs for later.
static SLABS: Pool<Block> = Pool::new();

/// The alignment of the system's own memory: with more, it would write all zeros at once.
const LAYOUT: Layout = match Layout::from_size_align(SLAB_LEN, 16) {
    Ok(layout) => layout,
    Err(_) => panic!("the size is no power of two"),
};

impl Memory {
    fn new() -> Self {
        let block = SLABS.take(SLAB_LEN).unwrap_or_else(|| {
            // SAFETY: the layout has a size.
            let data = unsafe { alloc_zeroed(LAYOUT) };
            Block {
                data: NonNull::new(data).unwrap_or_else(|| std::alloc::handle_alloc_error(LAYOUT)),
            }
        });
        Self { block: Some(block) }
    }

    fn data(&self) -> *mut u8 {
        let block = self.block.as_ref();
        block.map_or(ptr::null_mut(), |block| block.data.as_ptr())
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if let Some(block) = self.block.take() {
            SLABS.keep(SLAB_LEN, block);
        }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: it was made with this layout, and nobody else has it.
        unsafe { dealloc(self.data.as_ptr(), LAYOUT) };
    }
}

/// The part of a slab that is not filled.
#[derive(Debug)]
pub(super) struct SlabRoom {
    memory: Arc<Memory>,
    number: u32,
    /// `filled <= SLAB_LEN`.
    filled: usize,
}

impl SlabRoom {
    pub(super) fn new() -> (Self, Arc<Memory>) {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let memory = Arc::new(Memory::new());
        let room = Self {
            memory: Arc::clone(&memory),
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            filled: 0,
        };
        (room, memory)
    }
}

impl Slab for SlabRoom {
    fn number(&self) -> u32 {
        self.number
    }

    fn room(&mut self) -> &mut [u8] {
        let start = self.memory.data().wrapping_add(self.filled);
        let len = SLAB_LEN.saturating_sub(self.filled);
        // SAFETY: these bytes are inside the memory, and initialised, as it was zeroed. There is one room of a
        // slab, and JavaScript gets views of what is filled only. A user who reaches for the rest through
        // `view.buffer` may see it change, as with the pool of Node's own Buffers.
        unsafe { std::slice::from_raw_parts_mut(start, len) }
    }

    fn fill(&mut self, len: usize) {
        self.filled = self.filled.saturating_add(len).min(SLAB_LEN);
    }
}

/// Gives a slab to JavaScript as the property `slab` of an object. Returns whether this runtime allows that: Electron
/// does not.
///
/// # Safety
///
/// `env` and `holder` are those of the running callback.
pub(super) unsafe fn export(
    memory: &Arc<Memory>,
    env: sys::napi_env,
    holder: sys::napi_value,
) -> Result<bool> {
    let mut value = ptr::null_mut();
    let reference = Arc::into_raw(Arc::clone(memory)).cast_mut();
    // SAFETY: `env` is valid. The memory lives until `release` drops the reference.
    let status = unsafe {
        sys::napi_create_external_arraybuffer(
            env,
            memory.data().cast(),
            SLAB_LEN,
            Some(release),
            reference.cast(),
            &raw mut value,
        )
    };
    if status != sys::Status::napi_ok {
        // SAFETY: nobody else has the reference.
        drop(unsafe { Arc::from_raw(reference.cast_const()) });
        return Ok(false);
    }
    // SAFETY: `env` and both values are valid, the name ends with a zero byte.
    check(unsafe { sys::napi_set_named_property(env, holder, c"slab".as_ptr(), value) })?;
    Ok(true)
}

/// Pieces for later.
static PIECES: Pool<Vec<u8>> = Pool::new();

/// Memory for a piece, of which the bytes may be anything; `None` if there is not enough.
pub(super) fn piece(len: usize) -> Option<Vec<u8>> {
    PIECES.take(len).or_else(|| zeros(len))
}

/// As `vec![0; len]`, but for that it does not end the process without memory. Zeros that are not written cost nothing.
fn zeros(len: usize) -> Option<Vec<u8>> {
    if len == 0 {
        return Some(Vec::new());
    }
    let layout = Layout::array::<u8>(len).ok()?;
    // SAFETY: the layout has a size.
    let data = NonNull::new(unsafe { alloc_zeroed(layout) })?;
    // SAFETY: the memory is that of an array of this many bytes, all of them zeros, and nobody else has it.
    Some(unsafe { Vec::from_raw_parts(data.as_ptr(), len, len) })
}

/// Keeps memory of a piece for a later one of its size.
pub(super) fn keep_piece(piece: Vec<u8>) {
    PIECES.keep(piece.len(), piece);
}

/// Gives bytes to JavaScript as the property `slab` of an object. Returns them where the runtime does not allow
/// that.
///
/// # Safety
///
/// `env` and `holder` are those of the running callback.
pub(super) unsafe fn export_vec(
    bytes: Vec<u8>,
    env: sys::napi_env,
    holder: sys::napi_value,
) -> Result<Option<Vec<u8>>> {
    let mut value = ptr::null_mut();
    let mut boxed = Box::new(bytes);
    let (data, len) = (boxed.as_mut_ptr(), boxed.len());
    let owner = Box::into_raw(boxed);
    // SAFETY: `env` is valid. The bytes live until `release_vec` drops their owner, and nobody else uses them.
    let status = unsafe {
        sys::napi_create_external_arraybuffer(
            env,
            data.cast(),
            len,
            Some(release_vec),
            owner.cast(),
            &raw mut value,
        )
    };
    if status != sys::Status::napi_ok {
        // SAFETY: nobody else has the owner.
        return Ok(Some(*unsafe { Box::from_raw(owner) }));
    }
    // SAFETY: `env` and both values are valid, the name ends with a zero byte.
    check(unsafe { sys::napi_set_named_property(env, holder, c"slab".as_ptr(), value) })?;
    Ok(None)
}

unsafe extern "C" fn release_vec(_: sys::napi_env, _: *mut c_void, owner: *mut c_void) {
    // SAFETY: this is the owner that `export_vec` made, and Node-API calls this once.
    keep_piece(*unsafe { Box::from_raw(owner.cast::<Vec<u8>>()) });
}

unsafe extern "C" fn release(_: sys::napi_env, _: *mut c_void, reference: *mut c_void) {
    // SAFETY: this is the reference that `export` made, and Node-API calls this once.
    drop(unsafe { Arc::from_raw(reference.cast_const().cast::<Memory>()) });
}

/// Copies filled bytes of a slab, where it could not be exported.
pub(super) fn copy(memory: &Memory, start: usize, out: &mut [u8]) -> Result<()> {
    if start.saturating_add(out.len()) > SLAB_LEN {
        return Err(fault("not in the slab"));
    }
    let from = memory.data().wrapping_add(start);
    // SAFETY: the bytes are inside the memory and filled, so the I/O thread writes them no more. `out` is
    // memory of JavaScript, which may be a part of this slab.
    unsafe { ptr::copy(from, out.as_mut_ptr(), out.len()) };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn piece_that_is_too_long_for_the_memory_is_none() {
        assert_eq!(piece(0), Some(Vec::new()));
        assert_eq!(piece(3), Some(vec![0; 3]));
        assert_eq!(piece(usize::MAX / 2), None);
        assert_eq!(piece(usize::MAX), None);
    }
}
