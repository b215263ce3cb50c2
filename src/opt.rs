// SPDX-License-Identifier: MIT OR Apache-2.0
//! The safe core of `fuse_opt` (API since 2.6): argument lists, and the engine that matches them against templates.
//!
//! One engine serves everybody. The C edge gives it templates of the caller and writes through offsets; our own
//! stages (command line, session, mount) give it a table of [`Spec`]s. [`Args`] owns its strings; the engine borrows
//! its input and hands copies to the output list, which replaces the input only when everything went well.

use std::ffi::{CStr, CString};

use crate::log::error;

/// An option that no template matched.
pub const KEY_OPT: i32 = -1;
/// An argument without a leading dash, or anything after `--`.
pub const KEY_NONOPT: i32 = -2;
/// Keep the argument without asking.
pub const KEY_KEEP: i32 = -3;
/// Drop the argument without asking.
pub const KEY_DISCARD: i32 = -4;

/// Parsing ended early; whoever refused has said why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused;

/// The parameter could not be read in the template's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadParam;

/// An owned argument list, with the program's name as its first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Args {
    list: Vec<CString>,
}

impl Args {
    pub fn new() -> Args {
        Args::default()
    }

    pub fn push(&mut self, arg: CString) {
        self.list.push(arg);
    }

    /// Puts `arg` before the one at `at`; behind the last one when `at` is too large.
    pub fn insert(&mut self, at: usize, arg: CString) {
        self.list.insert(at.min(self.list.len()), arg);
    }

    pub fn iter(&self) -> impl Iterator<Item = &CStr> {
        self.list.iter().map(CString::as_c_str)
    }

    pub fn get(&self, index: usize) -> Option<&CStr> {
        self.list.get(index).map(CString::as_c_str)
    }

    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Matches the list against `specs`. `other` gets what no template took, and the matches of [`Act::Key`]; it says
    /// whether the argument stays in the list. On an error the list is as it was.
    pub fn parse<T>(&mut self, data: &mut T, specs: &[Spec<T>], other: Handler<T>) -> Result<(), Refused> {
        let mut sink = Table { data, specs, other, out: Args::new() };
        parse(&self.list.iter().map(CString::as_c_str).collect::<Vec<_>>(), &mut sink)?;
        *self = sink.out;
        Ok(())
    }
}

impl FromIterator<CString> for Args {
    fn from_iter<I: IntoIterator<Item = CString>>(iter: I) -> Args {
        Args { list: iter.into_iter().collect() }
    }
}

/// What a parse writes to: the templates with their destinations, and the output list.
pub trait Sink {
    /// The template number `index`, None behind the last one.
    fn template(&self, index: usize) -> Option<&[u8]>;
    /// The key that template `index` passes to `handle`; None when it stores by itself.
    fn key(&self, index: usize) -> Option<i32>;
    /// Stores for template `index`. `param` is the parameter, None when the argument has none.
    fn store(&mut self, index: usize, param: Option<&CStr>) -> Result<(), BadParam>;
    /// Judges an argument: true keeps it.
    fn handle(&mut self, arg: &CStr, key: i32) -> Result<bool, Refused>;
    /// How long the output list is now; `handle` may lengthen it.
    fn out_len(&self) -> usize;
    fn out_push(&mut self, arg: &CStr) -> Result<(), Refused>;
    fn out_insert(&mut self, at: usize, arg: &CStr) -> Result<(), Refused>;
    /// Takes the last argument off again when it is `--`.
    fn out_drop_separator(&mut self);
}

/// What an argument has in common with a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hit {
    /// They are the same text.
    Exact,
    /// The parameter starts at `at`; with `split` it may also be the next argument.
    Param { at: usize, split: bool },
}

/// Where the separator of a template with a parameter is: a `=` or blank that ends it or is followed by a format.
pub fn separator(template: &[u8]) -> Option<usize> {
    let at = template.iter().position(|&c| c == b'=').or_else(|| template.iter().position(|&c| c == b' '))?;
    match template.get(at + 1) {
        None | Some(b'%') => Some(at),
        Some(_) => None,
    }
}

/// Compares an argument (or a member of an `-o` list) with a template.
pub fn hit(template: &[u8], arg: &[u8]) -> Option<Hit> {
    if let Some(sep) = separator(template) {
        let split = template[sep] == b' ';
        let at = if split { sep } else { sep + 1 };
        if arg.starts_with(&template[..at]) {
            return Some(Hit::Param { at, split });
        }
    }
    (template == arg).then_some(Hit::Exact)
}

/// Runs the whole list through `sink`. An empty input leaves the output empty.
pub fn parse<S: Sink>(args: &[&CStr], sink: &mut S) -> Result<(), Refused> {
    let Some((name, rest)) = args.split_first() else {
        return Ok(());
    };
    sink.out_push(name)?;
    let mut run = Run { rest, sink, list: Vec::new(), listed: false, separator: None };
    while let Some(arg) = run.next() {
        run.argument(arg)?;
    }
    run.finish()
}

struct Run<'a, S> {
    rest: &'a [&'a CStr],
    sink: &'a mut S,
    /// The kept members of all `-o` lists, escaped.
    list: Vec<u8>,
    listed: bool,
    /// How long the output was when `--` had been copied to it.
    separator: Option<usize>,
}

impl<'a, S: Sink> Run<'a, S> {
    fn next(&mut self) -> Option<&'a CStr> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    fn next_for(&mut self, option: &CStr) -> Result<&'a CStr, Refused> {
        self.next().ok_or_else(|| {
            error!("fuse: missing argument after `{}'", option.to_string_lossy());
            Refused
        })
    }

    fn argument(&mut self, arg: &CStr) -> Result<(), Refused> {
        let bytes = arg.to_bytes();
        if self.separator.is_some() || bytes.first() != Some(&b'-') {
            return self.judge(arg, KEY_NONOPT, false);
        }
        match &bytes[1..] {
            [b'o'] => {
                let list = self.next_for(arg)?;
                self.members(list.to_bytes())
            }
            [b'o', list @ ..] => self.members(list),
            b"-" => {
                self.sink.out_push(arg)?;
                self.separator = Some(self.sink.out_len());
                Ok(())
            }
            _ => self.option(arg, false),
        }
    }

    fn members(&mut self, list: &[u8]) -> Result<(), Refused> {
        split_list(list).iter().try_for_each(|member| self.option(member, true))
    }

    /// Every template that matches acts, in the order of the table.
    fn option(&mut self, arg: &CStr, in_list: bool) -> Result<(), Refused> {
        let mut known = false;
        let mut index = 0;
        while let Some(template) = self.sink.template(index) {
            if let Some(hit) = hit(template, arg.to_bytes()) {
                known = true;
                self.act(index, hit, arg, in_list)?;
            }
            index += 1;
        }
        if known { Ok(()) } else { self.judge(arg, KEY_OPT, in_list) }
    }

    fn act(&mut self, index: usize, hit: Hit, arg: &CStr, in_list: bool) -> Result<(), Refused> {
        let (arg, at) = match hit {
            Hit::Exact => return self.apply(index, arg, None, in_list),
            Hit::Param { at, split: true } if arg.to_bytes().len() == at => {
                let next = self.next_for(arg)?;
                (c_string([arg.to_bytes(), next.to_bytes()].concat()), at)
            }
            Hit::Param { at, .. } => (arg.to_owned(), at),
        };
        self.apply(index, &arg, Some(at), in_list)
    }

    fn apply(&mut self, index: usize, arg: &CStr, at: Option<usize>, in_list: bool) -> Result<(), Refused> {
        if let Some(key) = self.sink.key(index) {
            return self.judge(arg, key, in_list);
        }
        let param = at.map(|at| c_string(arg.to_bytes()[at..].to_vec()));
        self.sink.store(index, param.as_deref()).map_err(|BadParam| {
            error!("fuse: invalid parameter in option `{}'", arg.to_string_lossy());
            Refused
        })
    }

    fn judge(&mut self, arg: &CStr, key: i32, in_list: bool) -> Result<(), Refused> {
        let keep = match key {
            KEY_DISCARD => false,
            KEY_KEEP => true,
            _ => self.sink.handle(arg, key)?,
        };
        if !keep {
            return Ok(());
        }
        if !in_list {
            return self.sink.out_push(arg);
        }
        self.listed = true;
        add_opt_escaped(&mut self.list, arg.to_bytes());
        Ok(())
    }

    /// The kept list members go to the front, where they can't end up behind a `--`; a `--` that separates nothing
    /// any more goes away. It is found by the length at its time, so one that a list pushed on stays: as in libfuse.
    fn finish(self) -> Result<(), Refused> {
        if self.listed {
            self.sink.out_insert(1, c"-o")?;
            self.sink.out_insert(2, &c_string(self.list))?;
        }
        if self.separator == Some(self.sink.out_len()) {
            self.sink.out_drop_separator();
        }
        Ok(())
    }
}

/// Splits a comma separated list and takes the escapes away: a backslash protects the next character, and three
/// octal digits behind it, the first one 0 to 3, are a byte. A backslash at the very end stands for itself.
pub fn split_list(list: &[u8]) -> Vec<CString> {
    let mut members = Vec::new();
    let mut member = Vec::new();
    let mut rest = list;
    loop {
        rest = match rest {
            [] => break,
            [b',', tail @ ..] => {
                members.push(c_string(std::mem::take(&mut member)));
                tail
            }
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..] => {
                member.push((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0'));
                tail
            }
            [b'\\', c, tail @ ..] | [c, tail @ ..] => {
                member.push(*c);
                tail
            }
        };
    }
    members.push(c_string(member));
    members
}

/// Appends to a comma separated list.
pub fn add_opt(list: &mut Vec<u8>, opt: &[u8]) {
    if !list.is_empty() {
        list.push(b',');
    }
    list.extend_from_slice(opt);
}

/// As [`add_opt`], with commas and backslashes of `opt` protected.
pub fn add_opt_escaped(list: &mut Vec<u8>, opt: &[u8]) {
    if !list.is_empty() {
        list.push(b',');
    }
    for &c in opt {
        if c == b',' || c == b'\\' {
            list.push(b'\\');
        }
        list.push(c);
    }
}

/// A C string ends at its first NUL, wherever the bytes came from (`\000` in a list).
pub fn c_string(mut bytes: Vec<u8>) -> CString {
    bytes.truncate(bytes.iter().position(|&c| c == 0).unwrap_or(bytes.len()));
    CString::new(bytes).unwrap_or_default()
}

/// Gets (data, argument, key, output list); true keeps the argument.
pub type Handler<'a, T> = &'a mut dyn FnMut(&mut T, &CStr, i32, &mut Args) -> Result<bool, Refused>;

/// One line of a table: a template without format (`foo`, `foo=`, `-x`, `-x `) and what it does.
pub struct Spec<T> {
    pub template: &'static str,
    pub act: Act<T>,
}

impl<T> Spec<T> {
    pub const fn new(template: &'static str, act: Act<T>) -> Spec<T> {
        Spec { template, act }
    }
}

/// What a match does. A number is read like scanf's: trailing junk is accepted, no digit at all is an error.
pub enum Act<T> {
    Set(fn(&mut T)),
    /// `%s`
    Text(fn(&mut T, &CStr)),
    /// `%u`
    Unsigned(fn(&mut T, u32)),
    /// Passed to the handler with this key, or one of KEY_KEEP and KEY_DISCARD.
    Key(i32),
}

struct Table<'a, T> {
    data: &'a mut T,
    specs: &'a [Spec<T>],
    other: Handler<'a, T>,
    out: Args,
}

impl<T> Sink for Table<'_, T> {
    fn template(&self, index: usize) -> Option<&[u8]> {
        self.specs.get(index).map(|spec| spec.template.as_bytes())
    }

    fn key(&self, index: usize) -> Option<i32> {
        match self.specs[index].act {
            Act::Key(key) => Some(key),
            _ => None,
        }
    }

    fn store(&mut self, index: usize, param: Option<&CStr>) -> Result<(), BadParam> {
        let param = param.unwrap_or(c"");
        match self.specs[index].act {
            Act::Set(set) => set(self.data),
            Act::Text(set) => set(self.data, param),
            Act::Unsigned(set) => set(self.data, integer(param.to_bytes()).ok_or(BadParam)? as u32),
            Act::Key(_) => {}
        }
        Ok(())
    }

    fn handle(&mut self, arg: &CStr, key: i32) -> Result<bool, Refused> {
        (self.other)(self.data, arg, key, &mut self.out)
    }

    fn out_len(&self) -> usize {
        self.out.len()
    }

    fn out_push(&mut self, arg: &CStr) -> Result<(), Refused> {
        self.out.push(arg.to_owned());
        Ok(())
    }

    fn out_insert(&mut self, at: usize, arg: &CStr) -> Result<(), Refused> {
        self.out.insert(at, arg.to_owned());
        Ok(())
    }

    fn out_drop_separator(&mut self) {
        if self.out.list.last().is_some_and(|last| last.as_c_str() == c"--") {
            self.out.list.pop();
        }
    }
}

/// Reads a decimal number as scanf does: blanks, a sign, digits, anything. The value wraps as an assignment in C would;
/// None when there is no digit.
pub fn integer(text: &[u8]) -> Option<i64> {
    let text = text.trim_ascii_start();
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let mut value: Option<i64> = None;
    for digit in digits.iter().map_while(|&c| char::from(c).to_digit(10)) {
        let next = value.unwrap_or(0).saturating_mul(10);
        value = Some(next.saturating_add(digit.into()));
    }
    value.map(|value| if negative { -value } else { value })
}

#[cfg(test)]
#[path = "opt_tests.rs"]
mod tests;
