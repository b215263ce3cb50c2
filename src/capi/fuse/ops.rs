use std::sync::Arc;
use super::main::Fuse; use super::modules::Stack; use super::config::LibOptions;
use crate::errno::Errno; use crate::session::*; use crate::session::init::*; use crate::request::Request; use crate::request::decode::Operation; use crate::wire::FuseInHeader;
pub struct HighLevel { stack: Stack, #[allow(dead_code)] o: LibOptions }
impl HighLevel {
    pub fn new(_f: *mut Fuse, stack: Stack, o: LibOptions) -> Arc<HighLevel> { Arc::new(HighLevel { stack, o }) }
    pub fn remove_hidden(&self) {} pub fn stop_cleanup(&self) {} pub fn start_cleanup(&self) -> Result<(), Errno> { Ok(()) }
    pub fn clean_cache(&self) -> i32 { 0 }
    pub fn find(&self, _p: &std::ffi::CStr) -> Option<u64> { None }
}
pub struct Handle(pub Arc<HighLevel>);
impl Filesystem for Handle {
    fn has(&self) -> Has { Has::default() }
    fn init(&self, _c: &mut ConnInfo, _r: &mut Remembered) {}
    fn handle(&self, _r: Request, _h: &FuseInHeader, _o: Operation<'_>, _w: u64) {}
    fn destroy(&self) { self.0.stack.destroy() }
}
