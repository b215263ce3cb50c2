// SPDX-License-Identifier: MIT OR Apache-2.0
//! As much of an executable's head as tells how it is started. Every offset is checked; a broken file is no ELF file.

const PT_INTERP: u32 = 3;
const PROGRAM_HEADER: usize = 56;
/// More than any linker makes.
const MOST_HEADERS: usize = 512;

#[derive(Debug, PartialEq, Eq)]
pub enum Kind {
    /// `#!`, or whatever else is not an ELF file.
    Script,
    /// An ELF file for another word size or byte order than this program's.
    Foreign,
    Static,
    /// With the path of its dynamic linker.
    Dynamic(String),
}

pub fn kind(file: &[u8]) -> Kind {
    if !file.starts_with(b"\x7fELF") {
        return Kind::Script;
    }
    let (class, order) = (file.get(4), file.get(5));
    let own_order = if cfg!(target_endian = "little") { 1 } else { 2 };
    if class != Some(&2) || order != Some(&own_order) {
        return Kind::Foreign;
    }
    interpreter(file).map_or(Kind::Static, Kind::Dynamic)
}

fn interpreter(file: &[u8]) -> Option<String> {
    let table = usize::try_from(u64::from_ne_bytes(bytes(file, 32)?)).ok()?;
    let count = usize::from(u16::from_ne_bytes(bytes(file, 56)?)).min(MOST_HEADERS);
    let header = (0..count)
        .map_while(|number| table.checked_add(number * PROGRAM_HEADER))
        .find(|&at| bytes(file, at).is_some_and(|kind| u32::from_ne_bytes(kind) == PT_INTERP))?;
    let at = usize::try_from(u64::from_ne_bytes(bytes(file, header.checked_add(8)?)?)).ok()?;
    let length = usize::try_from(u64::from_ne_bytes(bytes(file, header.checked_add(32)?)?)).ok()?;
    let path = file.get(at..at.checked_add(length)?)?;
    let path = path.split(|&byte| byte == 0).next().filter(|path| path.starts_with(b"/"))?;
    String::from_utf8(path.to_vec()).ok()
}

fn bytes<const N: usize>(file: &[u8], at: usize) -> Option<[u8; N]> {
    file.get(at..at.checked_add(N)?)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> Vec<u8> {
        std::fs::read("/proc/self/exe").unwrap()
    }

    #[test]
    fn tells_kinds() {
        let Kind::Dynamic(linker) = kind(&own()) else { panic!("this test is dynamically linked") };
        assert!(std::path::Path::new(&linker).exists(), "{linker}");
        assert_eq!(kind(b"#!/bin/sh\n"), Kind::Script);
        assert_eq!(kind(b""), Kind::Script);
        let mut other = own();
        other[4] = 1;
        assert_eq!(kind(&other), Kind::Foreign);
        let mut without = own();
        without[56..58].fill(0);
        assert_eq!(kind(&without), Kind::Static);
    }

    #[test]
    fn broken_files_are_no_danger() {
        let file = own();
        for length in (0..200).chain([1000, 4096]) {
            kind(&file[..length.min(file.len())]);
        }
        for at in 24..64 {
            let mut broken = file[..4096].to_vec();
            broken[at] = 0xff;
            kind(&broken);
            broken[32..40].fill(0xff);
            kind(&broken);
        }
    }
}
