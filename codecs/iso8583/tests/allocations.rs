//! How often the codec asks for memory, counted.
#![allow(unsafe_code, reason = "a global allocator is an unsafe trait; this one hands everything on")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use iso8583::{Message, Spec};

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

/// Allocations and growths of this thread so far.
fn of_this_thread() -> u64 {
    COUNT.with(Cell::get)
}

struct Counted;

fn count() {
    // A thread that ends has given its count back already.
    let _ = COUNT.try_with(|count| count.set(count.get() + 1));
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise is ours.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise is ours.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promise is ours.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is ours.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static COUNTED: Counted = Counted;

/// A purchase with a PIN and chip data.
fn purchase() -> Message {
    let mut message = Message::new("0200");
    message.set(2, "4761739001010119").set(3, "000000").set(4, "000000012345").set(7, "0715143100").set(11, "123456");
    message.set(12, "143100").set(13, "0715").set(14, "2712").set(22, "051").set(25, "00").set(32, "40012345");
    message.set(35, "4761739001010119=27122011143878089").set(37, "519614123456").set(41, "TERM0001");
    message.set(42, "MERCHANT0000001").set(43, "CORNER SHOP").set(49, "826").set(52, [0x1A; 8]);
    // One object stands inside another: that takes no memory either.
    message.set(55, [0x82, 2, 0x19, 0x80, 0xE1, 5, 0x9F, 0x36, 2, 0, 0x1A]);
    message
}

#[test]
fn a_message_is_read_with_two_allocations_and_written_into_a_buffer_with_none() {
    for name in ["iso87-ascii", "iso87-binary", "iso93-ascii", "iso93-binary", "iso93-ebcdic"] {
        let spec = Spec::shipped(name).unwrap();
        let mut message = purchase();
        if name.starts_with("iso93") {
            // Other fields than those of 1987 have other forms.
            message = Message::new("1200");
            message.set(2, "4761739001010119").set(3, "000000").set(4, "000000012345").set(11, "123456");
            message.set(37, "519614123456").set(41, "TERM0001").set(42, "MERCHANT0000001").set(52, [0x1A; 8]);
        }
        let mut out = Vec::with_capacity(1024);
        let before = of_this_thread();
        let written = spec.encode_into(&message, &mut out);
        let for_writing = of_this_thread() - before;
        written.unwrap();
        assert_eq!(for_writing, 0, "{name}: writing");
        let frame = bytes::Bytes::from(out);
        let given = frame.clone();
        let before = of_this_thread();
        let read = spec.decode(given);
        let for_reading = of_this_thread() - before;
        let read = read.unwrap();
        assert!(for_reading <= 2, "{name}: reading takes {for_reading}");
        assert_eq!(read, message, "{name}");
        let mut out = Vec::with_capacity(1024);
        let before = of_this_thread();
        let written = spec.encode_into(&read, &mut out);
        assert_eq!(of_this_thread() - before, 0, "{name}: writing what was read");
        written.unwrap();
        assert_eq!(out, frame, "{name}");
    }
}
