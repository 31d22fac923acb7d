//! Memory of `pwp.allocate()`: JavaScript sees it as an `ArrayBuffer`, and the I/O thread writes pieces into it and sends
//! blocks from it.
//!
//! It belongs to Rust. A fetch holds a reference to it until its record is left, a block until it is written to the
//! socket, and the `ArrayBuffer` holds one until it is collected, or whatever its bytes have been transferred to. So it
//! lives as long as anybody may touch it, whatever becomes of JavaScript, its thread or the view that was passed.
//!
//! A view is known by its address, which no property can fake: JavaScript gets addresses in this memory from here only.
#![expect(unsafe_code, reason = "the memory is shared with JavaScript")]

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::collections::BTreeMap;
use std::ffi::c_void;
use std::ops::Range;
use std::ptr::{self, NonNull};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use napi::{Result, sys};

use crate::binding::call::{Call, State, check};
use crate::protocol::numbers::to_usize;
use crate::protocol::transfer::PieceMemory;

/// That of the system's own memory: with more, it would write all zeros at once.
const ALIGNMENT: usize = 16;

/// What there is, by its address.
static REGIONS: Mutex<BTreeMap<usize, Weak<Region>>> = Mutex::new(BTreeMap::new());

/// One piece of memory. All that Rust and JavaScript see of it are addresses: neither has references to its bytes
/// beyond a call.
#[derive(Debug)]
struct Region {
    data: NonNull<u8>,
    layout: Layout,
}

// SAFETY: it is an address of memory that no thread owns, which is freed when the last reference is dropped.
unsafe impl Send for Region {}
// SAFETY: as above. Its methods only copy the address.
unsafe impl Sync for Region {}

impl Region {
    /// Memory of zeros; `None` if there is not enough.
    fn new(len: usize) -> Option<Arc<Self>> {
        let layout = Layout::from_size_align(len.max(1), ALIGNMENT).ok()?;
        // SAFETY: the layout has a size.
        let data = NonNull::new(unsafe { alloc_zeroed(layout) })?;
        let region = Arc::new(Self { data, layout });
        regions().insert(data.addr().get(), Arc::downgrade(&region));
        Some(region)
    }

    /// That in which these bytes are.
    fn find(bytes: Range<usize>) -> Option<Arc<Self>> {
        let region = {
            let regions = regions();
            let (_, region) = regions.range(..=bytes.start).next_back()?;
            region.upgrade()?
        };
        // Without the lock, as this may turn out to be the last reference, whose drop takes it.
        let start = region.data.addr().get();
        (bytes.end <= start.saturating_add(region.layout.size())).then_some(region)
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // Before another one can have the address.
        regions().remove(&self.data.addr().get());
        // SAFETY: it was made with this layout, and this was the last reference.
        unsafe { dealloc(self.data.as_ptr(), self.layout) };
    }
}

fn regions() -> MutexGuard<'static, BTreeMap<usize, Weak<Region>>> {
    REGIONS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Bytes of a region that a fetch fills, or that are sent.
#[derive(Debug)]
pub(super) struct Lent {
    region: Arc<Region>,
    /// Where they begin in the region.
    start: usize,
    len: usize,
}

impl Lent {
    /// The first bytes of a view, if they are in such memory.
    pub(super) fn of_view(address: usize, len: usize) -> Option<Self> {
        let region = Region::find(address..address.checked_add(len)?)?;
        let start = address.saturating_sub(region.data.addr().get());
        Some(Self { region, start, len })
    }

    /// The address of the bytes from `begin` on, and how many there are of `len`.
    fn place(&self, begin: u32, len: usize) -> (*mut u8, usize) {
        let begin = to_usize(begin).min(self.len);
        let data = self.region.data.as_ptr();
        let place = data.wrapping_add(self.start).wrapping_add(begin);
        (place, len.min(self.len.saturating_sub(begin)))
    }
}

impl PieceMemory for Lent {
    fn write(&mut self, begin: u32, bytes: &[u8]) {
        let (place, len) = self.place(begin, bytes.len());
        // SAFETY: `of_view` has checked that the bytes are in the region, which `self` keeps alive. `bytes` are what was
        // read from a socket, or passed with the order, and not among them. JavaScript may look at them at the same
        // time: it finds old or new ones there, which is what the caller of a fetch is told to expect.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), place, len) };
    }

    fn read(&self, range: Range<u32>, read: &mut dyn FnMut(&[u8])) {
        let len = to_usize(range.end.saturating_sub(range.start));
        let (place, len) = self.place(range.start, len);
        // SAFETY: the bytes are in the region and initialised, as it was zeroed, and no slice to write lives at the
        // same time. If JavaScript changes them meanwhile, what `read` finds is old or new: it hashes or copies bytes,
        // decides nothing by them, and a hash over something else is a wrong one.
        read(unsafe { std::slice::from_raw_parts(place, len) });
    }
}

/// To be sent.
impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        let (place, len) = self.place(0, self.len);
        // SAFETY: as in `read`. The system copies the bytes, or a cipher does; whoever changes them meanwhile has sent
        // old or new ones.
        unsafe { std::slice::from_raw_parts(place, len) }
    }
}

/// `allocate(NO_SLOT, length, holder) -> 1` if `holder.slab` is an `ArrayBuffer` of this length now, and 0 if there is not
/// enough memory, or the runtime allows none of others, as Electron.
pub(in crate::binding) fn allocate(call: &mut Call, _: &mut State<'_>) -> Result<u32> {
    let [len, ..] = call.numbers();
    let len = to_usize(len);
    let Some(region) = Region::new(len) else {
        return Ok(0);
    };
    let (env, holder) = call.env_and_value();
    let mut value = ptr::null_mut();
    let data = region.data.as_ptr().cast();
    let reference = Arc::into_raw(region).cast_mut();
    // SAFETY: `env` is that of the running callback. The memory lives until `release` drops the reference.
    let status = unsafe {
        sys::napi_create_external_arraybuffer(
            env,
            data,
            len,
            Some(release),
            reference.cast(),
            &raw mut value,
        )
    };
    if status != sys::Status::napi_ok {
        // SAFETY: nobody else has the reference.
        drop(unsafe { Arc::from_raw(reference.cast_const()) });
        return Ok(0);
    }
    // SAFETY: `env` and both values are valid, the name ends with a zero byte.
    check(unsafe { sys::napi_set_named_property(env, holder, c"slab".as_ptr(), value) })?;
    Ok(1)
}

unsafe extern "C" fn release(_: sys::napi_env, _: *mut c_void, reference: *mut c_void) {
    // SAFETY: this is the reference that `allocate` made, and Node-API calls this once.
    drop(unsafe { Arc::from_raw(reference.cast_const().cast::<Region>()) });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address_of(region: &Region) -> usize {
        region.data.addr().get()
    }

    #[test]
    fn view_is_found_only_inside_one_region() {
        let region = Region::new(100).unwrap();
        let start = address_of(&region);
        assert!(Lent::of_view(start, 100).is_some());
        assert!(Lent::of_view(start + 99, 1).is_some());
        assert!(Lent::of_view(start + 1, 100).is_none());
        assert!(Lent::of_view(start - 1, 1).is_none());
        assert!(Lent::of_view(usize::MAX, 2).is_none());
        let other = [0_u8; 4];
        assert!(Lent::of_view(other.as_ptr().addr(), 4).is_none());
    }

    #[test]
    fn region_lives_as_long_as_a_fetch_has_it() {
        let region = Region::new(8).unwrap();
        let start = address_of(&region);
        let mut lent = Lent::of_view(start + 2, 4).unwrap();
        drop(region);
        lent.write(1, &[1, 2, 3, 4, 5]);
        let mut bytes = Vec::new();
        lent.read(0..9, &mut |part| bytes.extend_from_slice(part));
        assert_eq!(bytes, [0, 1, 2, 3]);
        lent.write(9, &[7]);
        assert!(Lent::of_view(start, 1).is_some());
        drop(lent);
        assert!(Lent::of_view(start, 1).is_none());
    }
}
