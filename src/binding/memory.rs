//! The memory through which numbers cross the border: one `ArrayBuffer` for each copy of `lib/`.
//!
//! JavaScript makes it and passes it with each call. So copies of `lib/` on one addon do not read
//! each other's events, and the addon keeps no address: once the memory is detached, calls fail, on
//! every runtime.
#![expect(unsafe_code, reason = "the memory is JavaScript's")]

use std::mem::offset_of;
use std::ops::Range;
use std::ptr;

use napi::{Result, sys};
use napi_derive::napi;

use super::call::check;
use super::commands::{COMMAND_LEN, CommandQueue};
use super::record::Record;
use crate::protocol::MessageId;
use crate::protocol::numbers::to_u32;

/// What JavaScript sees as `Uint32Array`s, under the names of the fields.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Memory {
    numbers: Numbers,
    commands: CommandQueue,
    pub(super) record: Record,
    pub(super) stretches: Stretches,
}

impl Memory {
    /// The memory that a call passes.
    ///
    /// # Safety
    ///
    /// `value` is an argument of the running callback. While the result lives, nothing else reads
    /// or writes its bytes.
    pub(super) unsafe fn borrow<'call>(
        env: sys::napi_env,
        value: sys::napi_value,
    ) -> Result<&'call mut Self> {
        let mut data = ptr::null_mut();
        let mut len = 0;
        // SAFETY: `env` and `value` are those of the running callback.
        check(unsafe { sys::napi_get_arraybuffer_info(env, value, &raw mut data, &raw mut len) })?;
        let data = data.cast::<Self>();
        if len < size_of::<Self>() || !data.is_aligned() {
            return Err(napi::Error::from_reason(
                "the memory of the border was changed",
            ));
        }
        // SAFETY: there are enough bytes, aligned, and a `Self` is all integers, for which any bits
        // are valid. JavaScript does not run, and by the contract of this function nothing else
        // uses them.
        Ok(unsafe { &mut *data })
    }

    pub(super) fn numbers(&self) -> &Numbers {
        &self.numbers
    }

    pub(super) fn commands(&mut self) -> &mut CommandQueue {
        &mut self.commands
    }

    /// Its addresses, to compare with those of other memory.
    pub(super) fn addresses(&self) -> Range<usize> {
        let start = ptr::from_ref(self).addr();
        start..start.saturating_add(size_of::<Self>())
    }
}

/// Where in the `ArrayBuffer` an array of numbers lies.
#[napi(object)]
#[derive(Debug)]
pub struct Area {
    /// Bytes before it.
    pub start: u32,
    /// Numbers of 32 bits.
    pub length: u32,
}

/// What the `ArrayBuffer` consists of.
#[napi(object)]
#[derive(Debug)]
pub struct MemoryLayout {
    /// A slot, and what an entry takes besides Buffers.
    pub numbers: Area,
    /// Commands that wait.
    pub commands: Area,
    /// An event.
    pub record: Area,
    /// What was read of the output.
    pub stretches: Area,
    /// Numbers of a command.
    pub command_length: u32,
    /// Bytes of the message of a block before the block.
    pub piece_head_length: u32,
    /// Bytes of all.
    pub byte_length: u32,
}

/// Gives the layout of the `ArrayBuffer` that each entry takes as its first argument.
#[napi]
pub fn memory_layout() -> MemoryLayout {
    MemoryLayout {
        numbers: area::<Numbers>(offset_of!(Memory, numbers)),
        commands: area::<CommandQueue>(offset_of!(Memory, commands)),
        record: area::<Record>(offset_of!(Memory, record)),
        stretches: area::<Stretches>(offset_of!(Memory, stretches)),
        command_length: to_u32(COMMAND_LEN),
        piece_head_length: MessageId::Piece.head_len(),
        byte_length: to_u32(size_of::<Memory>()),
    }
}

fn area<T>(start: usize) -> Area {
    let length = const { size_of::<T>() / size_of::<u32>() };
    Area {
        start: to_u32(start),
        length: to_u32(length),
    }
}

/// A slot, and the most numbers that an entry takes with it.
pub(super) const NUMBERS_LEN: usize = 7;

pub(super) type Numbers = [u32; NUMBERS_LEN];

/// What one call reads of the output: 1 if that is all, how many of JavaScript's own blocks belong
/// into it, and the number of bytes before each of them.
pub(super) type Stretches = [u32; 2 + MAX_STRETCHES];

/// Most blocks of one call: as many as wait for the end of a dispatch.
const MAX_STRETCHES: usize = 32;
