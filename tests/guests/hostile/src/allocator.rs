//! An allocator that can be told to trap.

use core::alloc::{GlobalAlloc, Layout};
use core::sync::atomic::{AtomicBool, Ordering};

/// Does each allocation trap from now on?
pub(crate) static TRAPS: AtomicBool = AtomicBool::new(false);

struct Trapping(dlmalloc::GlobalDlmalloc);

// SAFETY: all is left to dlmalloc, or nothing is returned at all.
unsafe impl GlobalAlloc for Trapping {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if TRAPS.load(Ordering::Relaxed) {
            core::arch::wasm32::unreachable()
        }
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { self.0.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Trapping = Trapping(dlmalloc::GlobalDlmalloc);
