// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a request asks for.

/// The `opcode` of a request header. Any number can arrive, so this is a number with names and not an enum.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Opcode(pub u32);

macro_rules! opcodes {
    ($($name:ident = $value:literal),* $(,)?) => {
        impl Opcode {
            $(pub const $name: Opcode = Opcode($value);)*

            /// All that are known, for tables and tests.
            pub const ALL: &[Opcode] = &[$(Opcode::$name),*];

            /// As printed with `-d`; `???` for a number without a name.
            pub fn name(self) -> &'static str {
                match self.0 {
                    $($value => stringify!($name),)*
                    _ => "???",
                }
            }
        }
    };
}

opcodes! {
    LOOKUP = 1,
    FORGET = 2,
    GETATTR = 3,
    SETATTR = 4,
    READLINK = 5,
    SYMLINK = 6,
    MKNOD = 8,
    MKDIR = 9,
    UNLINK = 10,
    RMDIR = 11,
    RENAME = 12,
    LINK = 13,
    OPEN = 14,
    READ = 15,
    WRITE = 16,
    STATFS = 17,
    RELEASE = 18,
    FSYNC = 20,
    SETXATTR = 21,
    GETXATTR = 22,
    LISTXATTR = 23,
    REMOVEXATTR = 24,
    FLUSH = 25,
    INIT = 26,
    OPENDIR = 27,
    READDIR = 28,
    RELEASEDIR = 29,
    FSYNCDIR = 30,
    GETLK = 31,
    SETLK = 32,
    SETLKW = 33,
    ACCESS = 34,
    CREATE = 35,
    INTERRUPT = 36,
    BMAP = 37,
    DESTROY = 38,
    IOCTL = 39,
    POLL = 40,
    NOTIFY_REPLY = 41,
    BATCH_FORGET = 42,
    FALLOCATE = 43,
    READDIRPLUS = 44,
    RENAME2 = 45,
    LSEEK = 46,
    COPY_FILE_RANGE = 47,
    SETUPMAPPING = 48,
    REMOVEMAPPING = 49,
    SYNCFS = 50,
    TMPFILE = 51,
    STATX = 52,
    COPY_FILE_RANGE_64 = 53,
    CUSE_INIT = 4096,
}

impl Opcode {
    /// Requests that the kernel does not wait for: answering them is an error.
    pub fn is_oneway(self) -> bool {
        matches!(self, Opcode::FORGET | Opcode::BATCH_FORGET | Opcode::INTERRUPT | Opcode::NOTIFY_REPLY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_distinct() {
        for (i, one) in Opcode::ALL.iter().enumerate() {
            assert_ne!(one.name(), "???");
            assert!(Opcode::ALL.iter().skip(i + 1).all(|other| other.0 > one.0), "{}", one.name());
        }
        assert_eq!(Opcode(7).name(), "???");
        assert_eq!(Opcode::CUSE_INIT.name(), "CUSE_INIT");
    }
}
