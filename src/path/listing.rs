// SPDX-License-Identifier: MIT OR Apache-2.0
//! The entries of an open directory, kept from one READDIR to the next when a filesystem delivers all at once.

/// One entry as the filesystem gave it.
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    pub name: &'a [u8],
    /// 0: not known.
    pub ino: u64,
    /// Only the type counts.
    pub mode: u32,
    /// All attributes, if the filesystem says that they are complete.
    pub stat: Option<&'a libc::stat>,
}

struct Stored {
    end_of_name: u32,
    mode: u32,
    ino: u64,
    /// Index in `stats`, plus one.
    stat: u32,
}

/// See the module. Its memory is given back with the directory's close.
#[derive(Default)]
pub struct Listing {
    names: Vec<u8>,
    stored: Vec<Stored>,
    stats: Vec<libc::stat>,
}

impl Listing {
    pub fn clear(&mut self) {
        self.names.clear();
        self.stored.clear();
        self.stats.clear();
    }

    pub fn is_empty(&self) -> bool {
        self.stored.is_empty()
    }

    /// `false`: there is no more memory (or the names are longer than any directory's).
    pub fn add(&mut self, entry: &Entry<'_>) -> bool {
        let Ok(end_of_name) = u32::try_from(self.names.len() + entry.name.len()) else {
            return false;
        };
        let room = self.names.try_reserve(entry.name.len()).is_ok()
            && self.stored.try_reserve(1).is_ok()
            && self.stats.try_reserve(usize::from(entry.stat.is_some())).is_ok();
        if !room {
            return false;
        }
        self.names.extend_from_slice(entry.name);
        self.stats.extend(entry.stat);
        let stat = if entry.stat.is_some() { self.stats.len() as u32 } else { 0 };
        self.stored.push(Stored { end_of_name, mode: entry.mode, ino: entry.ino, stat });
        true
    }

    /// The entry at a position, the first being 0.
    pub fn get(&self, index: usize) -> Option<Entry<'_>> {
        let stored = self.stored.get(index)?;
        let start = match index.checked_sub(1) {
            Some(before) => self.stored.get(before)?.end_of_name as usize,
            None => 0,
        };
        let name = self.names.get(start..stored.end_of_name as usize)?;
        let stat = (stored.stat as usize).checked_sub(1).and_then(|index| self.stats.get(index));
        Some(Entry { name, ino: stored.ino, mode: stored.mode, stat })
    }
}

#[cfg(test)]
#[allow(unsafe_code)]
mod tests {
    use super::*;

    #[test]
    fn gives_back_what_it_got() {
        let mut listing = Listing::default();
        // SAFETY: all-zero is a value of this plain C struct.
        let mut stat: libc::stat = unsafe { std::mem::zeroed() };
        stat.st_size = 77;
        for (index, name) in [&b"."[..], b"..", b"file", b""].into_iter().enumerate() {
            let stat = (index == 2).then_some(&stat);
            assert!(listing.add(&Entry { name, ino: index as u64, mode: 0, stat }));
        }
        let file = listing.get(2).unwrap();
        assert_eq!((file.name, file.ino, file.stat.unwrap().st_size), (&b"file"[..], 2, 77));
        assert!(listing.get(1).unwrap().stat.is_none() && listing.get(3).unwrap().name.is_empty());
        assert!(listing.get(4).is_none() && !listing.is_empty());
        listing.clear();
        assert!(listing.get(0).is_none());
    }
}
