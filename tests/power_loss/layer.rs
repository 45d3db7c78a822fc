//! A file layer of `SQLite` that writes down what happens to the files of a store, and passes everything
//! on to the system's own one. It is the default of this process, so the store runs on it unchanged.
//!
//! The interface of a file layer is C: this is the only file of the project with unsafe code.

#![expect(unsafe_code, reason = "the interface of a file layer is C")]

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::{Mutex, MutexGuard, Once, OnceLock, PoisonError};

use rusqlite::ffi;

/// What happened to a file.
#[derive(Debug, Clone)]
pub(crate) enum Operation {
    /// It was made, empty.
    Made,
    /// Bytes were written from a place on.
    Written(usize, Vec<u8>),
    /// It was cut to so many bytes, or made as long.
    Cut(usize),
    /// Everything up to now is on the disk; with `names`, so are the names in its folder.
    Synced { names: bool },
    /// Its name was taken away; whether that is on the disk, too.
    Deleted { synced: bool },
}

/// An operation, and the name of the file within its folder.
pub(crate) type Noted = (String, Operation);

/// Actions in the order in which they happened, while they are written down.
static LOG: Mutex<Option<Vec<Noted>>> = Mutex::new(None);
/// The files that are open, by the place of their handle.
static OPEN: Mutex<BTreeMap<usize, Open>> = Mutex::new(BTreeMap::new());
/// The layer of the system, and ours.
static LAYERS: OnceLock<(Pointer<ffi::sqlite3_vfs>, Pointer<ffi::sqlite3_vfs>)> = OnceLock::new();

/// A file that is open.
struct Open {
    name: String,
    /// The next sync is one of its folder, too: the system's layer does that with the first sync of each
    /// log that it may have made.
    names: bool,
}

/// A pointer to what never changes once it is registered.
struct Pointer<T>(*mut T);

// SAFETY: both layers live as long as the process and are only read.
unsafe impl<T> Send for Pointer<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Pointer<T> {}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Begins to write down.
pub(crate) fn begin() {
    install();
    *locked(&LOG) = Some(Vec::new());
}

/// How many operations were written down.
pub(crate) fn operations() -> usize {
    locked(&LOG).as_ref().map_or(0, Vec::len)
}

/// Ends it, and returns what was done.
pub(crate) fn end() -> Vec<Noted> {
    locked(&LOG).take().unwrap_or_default()
}

/// Writes an operation down, when somebody wants that.
fn write_down(name: &str, operation: impl FnOnce() -> Operation) {
    if let Some(log) = locked(&LOG).as_mut() {
        log.push((name.to_owned(), operation()));
    }
}

fn note(file: *mut ffi::sqlite3_file, operation: impl FnOnce(&mut Open) -> Operation) {
    if let Some(open) = locked(&OPEN).get_mut(&(file as usize)) {
        let operation = operation(open);
        write_down(&open.name, || operation);
    }
}

/// Makes the layer the default of this process.
fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the system's layer is there as soon as SQLite is initialised, and never goes away; a copy
        // of it is a valid layer, and it and its name are leaked, so that they do not go away either.
        unsafe {
            assert_eq!(ffi::sqlite3_initialize(), ffi::SQLITE_OK);
            let system = ffi::sqlite3_vfs_find(ptr::null());
            assert!(!system.is_null());
            let own = Box::leak(Box::new(ptr::read(system)));
            own.zName = c"written-down".as_ptr();
            own.pNext = ptr::null_mut();
            own.szOsFile += HEAD;
            own.xOpen = Some(open);
            own.xDelete = Some(delete);
            assert!(LAYERS.set((Pointer(system), Pointer(own))).is_ok());
            assert_eq!(ffi::sqlite3_vfs_register(own, 1), ffi::SQLITE_OK);
        }
    });
}

/// Bytes of a handle in front of the system's own one: our table of functions, and room to keep what
/// follows aligned.
const HEAD: c_int = 16;

/// The system's handle within ours.
fn inner(file: *mut ffi::sqlite3_file) -> *mut ffi::sqlite3_file {
    file.cast::<u8>().wrapping_add(HEAD as usize).cast()
}

fn path(name: *const c_char) -> Option<PathBuf> {
    if name.is_null() {
        return None;
    }
    // SAFETY: SQLite gives names that end in zero and live as long as the call.
    let name = unsafe { CStr::from_ptr(name) };
    name.to_str().ok().map(PathBuf::from)
}

/// The name of a file within its folder.
fn short(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

unsafe extern "C" fn open(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    let Some((system, _)) = LAYERS.get() else { return ffi::SQLITE_CANTOPEN };
    let path = path(name);
    let is_new = path.as_ref().is_some_and(|path| !path.exists());
    // SAFETY: SQLite gives a handle of szOsFile bytes, which has room for both; the arguments are its own.
    unsafe {
        (*file).pMethods = ptr::null();
        let Some(open) = (*system.0).xOpen else { return ffi::SQLITE_CANTOPEN };
        let said = open(system.0, name, inner(file), flags, out);
        if !(*inner(file)).pMethods.is_null() {
            (*file).pMethods = &raw const METHODS;
        }
        if said == ffi::SQLITE_OK
            && let Some(path) = path
        {
            let logs = ffi::SQLITE_OPEN_WAL | ffi::SQLITE_OPEN_MAIN_JOURNAL;
            let names = flags & logs != 0 && flags & ffi::SQLITE_OPEN_CREATE != 0;
            let name = short(&path);
            if is_new {
                write_down(&name, || Operation::Made);
            }
            locked(&OPEN).insert(file as usize, Open { name, names });
        }
        said
    }
}

unsafe extern "C" fn delete(_: *mut ffi::sqlite3_vfs, name: *const c_char, sync: c_int) -> c_int {
    let Some((system, _)) = LAYERS.get() else { return ffi::SQLITE_IOERR };
    // SAFETY: the arguments are SQLite's own.
    let said = unsafe {
        let Some(delete) = (*system.0).xDelete else { return ffi::SQLITE_IOERR };
        delete(system.0, name, sync)
    };
    if said == ffi::SQLITE_OK
        && let Some(path) = path(name)
    {
        write_down(&short(&path), || Operation::Deleted { synced: sync != 0 });
    }
    said
}

/// Passes a call on to the system's layer.
macro_rules! passed {
    ($function:ident, $method:ident, ($($name:ident: $kind:ty),*), $default:expr) => {
        unsafe extern "C" fn $function(file: *mut ffi::sqlite3_file $(, $name: $kind)*) -> c_int {
            // SAFETY: the handle was opened by `open`, so the system's one stands behind its head; the
            // arguments are SQLite's own.
            unsafe {
                (*(*inner(file)).pMethods).$method.map_or($default, |pass| pass(inner(file) $(, $name)*))
            }
        }
    };
}

passed!(pass_close, xClose, (), ffi::SQLITE_IOERR);
passed!(read, xRead, (to: *mut c_void, count: c_int, at: i64), ffi::SQLITE_IOERR);
passed!(pass_write, xWrite, (from: *const c_void, count: c_int, at: i64), ffi::SQLITE_IOERR);
passed!(pass_truncate, xTruncate, (length: i64), ffi::SQLITE_IOERR);
passed!(pass_sync, xSync, (flags: c_int), ffi::SQLITE_IOERR);
passed!(file_size, xFileSize, (size: *mut i64), ffi::SQLITE_IOERR);
passed!(lock, xLock, (kind: c_int), ffi::SQLITE_IOERR);
passed!(unlock, xUnlock, (kind: c_int), ffi::SQLITE_IOERR);
passed!(check_lock, xCheckReservedLock, (out: *mut c_int), ffi::SQLITE_IOERR);
passed!(control, xFileControl, (what: c_int, with: *mut c_void), ffi::SQLITE_NOTFOUND);
passed!(sector_size, xSectorSize, (), 512);
passed!(characteristics, xDeviceCharacteristics, (), 0);
passed!(
    shm_map, xShmMap,
    (page: c_int, size: c_int, extend: c_int, out: *mut *mut c_void), ffi::SQLITE_IOERR
);
passed!(shm_lock, xShmLock, (first: c_int, count: c_int, flags: c_int), ffi::SQLITE_IOERR);
passed!(shm_unmap, xShmUnmap, (delete: c_int), ffi::SQLITE_OK);

unsafe extern "C" fn shm_barrier(file: *mut ffi::sqlite3_file) {
    // SAFETY: as for all that is passed on.
    unsafe {
        if let Some(pass) = (*(*inner(file)).pMethods).xShmBarrier {
            pass(inner(file));
        }
    }
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    locked(&OPEN).remove(&(file as usize));
    // SAFETY: what came in is passed on.
    unsafe { pass_close(file) }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    from: *const c_void,
    count: c_int,
    at: i64,
) -> c_int {
    // SAFETY: what came in is passed on; SQLite gives `count` bytes.
    unsafe {
        let said = pass_write(file, from, count, at);
        if said == ffi::SQLITE_OK
            && let (Ok(count), Ok(at)) = (usize::try_from(count), usize::try_from(at))
        {
            let bytes = std::slice::from_raw_parts(from.cast::<u8>(), count);
            note(file, |_| Operation::Written(at, bytes.to_vec()));
        }
        said
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, length: i64) -> c_int {
    // SAFETY: what came in is passed on.
    let said = unsafe { pass_truncate(file, length) };
    if said == ffi::SQLITE_OK {
        note(file, |_| Operation::Cut(usize::try_from(length).unwrap_or(0)));
    }
    said
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: what came in is passed on.
    let said = unsafe { pass_sync(file, flags) };
    if said == ffi::SQLITE_OK {
        note(file, |open| Operation::Synced { names: std::mem::take(&mut open.names) });
    }
    said
}

/// Version 2: with what a write-ahead log takes, and without memory maps, which go past a layer.
static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_lock),
    xFileControl: Some(control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};
