// SPDX-License-Identifier: MIT OR Apache-2.0
//! Plain old data: structs that are nothing but their bytes, so that copying bytes in and out is always defined.
//!
//! # Safety
//! The trait is implemented by `wire_struct!` only, which proves at compile time what it promises: `repr(C)`, every
//! field plain data itself, and the sizes of the fields adding up to the size of the struct (hence no padding).
#![allow(unsafe_code)]

use std::mem::{MaybeUninit, size_of};

/// A type without padding for which every bit pattern is a value.
///
/// # Safety
/// Both halves of that sentence have to hold: `read` makes values of any bytes, `as_bytes` shows all bytes.
pub unsafe trait Pod: Copy + 'static {
    /// Copies a value out of the start of `bytes`; `None` when there are too few of them. Any alignment will do.
    fn read(bytes: &[u8]) -> Option<Self> {
        Self::read_prefix(bytes).map(|(value, _)| value)
    }

    /// Like `read`, and gives back the bytes that follow.
    fn read_prefix(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (head, rest) = bytes.split_at_checked(size_of::<Self>())?;
        let mut value = MaybeUninit::<Self>::uninit();
        // SAFETY: `head` is exactly as long as the value, the two cannot overlap, and any bytes are a value.
        let value = unsafe {
            std::ptr::copy_nonoverlapping(head.as_ptr(), value.as_mut_ptr().cast::<u8>(), head.len());
            value.assume_init()
        };
        Some((value, rest))
    }

    /// A value from a message that may be an older, shorter form: what is missing counts as zero.
    fn read_padded(bytes: &[u8]) -> Self {
        let mut value = Self::zeroed();
        let len = bytes.len().min(size_of::<Self>());
        // SAFETY: `len` is within both, they cannot overlap, and any bytes are a value.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), (&raw mut value).cast::<u8>(), len) };
        value
    }

    /// The bytes of the value, as they go over the wire.
    fn as_bytes(&self) -> &[u8] {
        // SAFETY: there is no padding, so every byte is initialised; the borrow keeps the value in place.
        unsafe { std::slice::from_raw_parts(std::ptr::from_ref(self).cast::<u8>(), size_of::<Self>()) }
    }

    /// Copies the value to the start of `bytes`; false when it does not fit, and then nothing is written.
    #[must_use]
    fn write(&self, bytes: &mut [u8]) -> bool {
        match bytes.get_mut(..size_of::<Self>()) {
            Some(room) => {
                room.copy_from_slice(self.as_bytes());
                true
            }
            None => false,
        }
    }

    /// The value whose bytes are all zero.
    fn zeroed() -> Self {
        // SAFETY: any bytes are a value.
        unsafe { MaybeUninit::zeroed().assume_init() }
    }
}

macro_rules! plain {
    ($($ty:ty),*) => { $(
        // SAFETY: an integer has no padding and no invalid bit pattern.
        unsafe impl Pod for $ty {}
    )* };
}
plain!(u8, u16, u32, u64, i32, i64);

// SAFETY: an array is its elements, one after another.
unsafe impl<T: Pod, const N: usize> Pod for [T; N] {}

/// Declares wire structs with their size in bytes, and makes them [`Pod`].
macro_rules! wire_struct {
    ($(
        $(#[$meta:meta])*
        $name:ident: $size:literal { $($(#[$fmeta:meta])* $field:ident: $ty:ty),* $(,)? }
    )*) => { $(
        $(#[$meta])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name { $($(#[$fmeta])* pub $field: $ty),* }

        impl Default for $name {
            fn default() -> Self {
                $crate::wire::pod::Pod::zeroed()
            }
        }

        const _: () = {
            const fn plain<T: $crate::wire::pod::Pod>() -> usize {
                size_of::<T>()
            }
            assert!(size_of::<$name>() == $size);
            assert!(0 $(+ plain::<$ty>())* == $size);
        };

        // SAFETY: asserted right above: repr(C), plain fields, and no room between them.
        #[allow(unsafe_code)]
        unsafe impl $crate::wire::pod::Pod for $name {}
    )* };
}
pub(crate) use wire_struct;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_at_any_alignment_and_never_past_the_end() {
        let bytes = [0u8, 1, 2, 3, 4, 5, 6, 7, 8];
        assert_eq!(u32::read(&bytes[1..]), Some(u32::from_ne_bytes([1, 2, 3, 4])));
        assert_eq!(u64::read(&bytes[2..]), None);
        let (value, rest) = <[u16; 2]>::read_prefix(&bytes).unwrap();
        assert_eq!((value, rest.len()), ([u16::from_ne_bytes([0, 1]), u16::from_ne_bytes([2, 3])], 5));
    }

    #[test]
    fn pads_what_is_missing_with_zero() {
        assert_eq!(<[u8; 4]>::read_padded(&[7, 8]), [7, 8, 0, 0]);
        assert_eq!(<[u8; 2]>::read_padded(&[7, 8, 9]), [7, 8]);
    }

    #[test]
    fn writes_all_or_nothing() {
        let mut room = [0xAAu8; 3];
        assert!(!1u32.write(&mut room));
        assert_eq!(room, [0xAA; 3]);
        assert!(0x0102u16.write(&mut room));
        assert_eq!(u16::read(&room), Some(0x0102));
    }
}
