//! Descriptors that leave a pipe or a folder to its owner (and to the system) alone. The one place of the daemon that
//! speaks to Windows without a safe wrapper: each call is three lines and says why it is sound.

#![expect(unsafe_code, reason = "no kept library sets the descriptor of a folder")]

use interprocess::os::windows::security_descriptor::SecurityDescriptor;
use std::{io, os::windows::ffi::OsStrExt, path::Path, ptr};
use widestring::U16CString;
use windows_sys::Win32::{
    Foundation::{ERROR_SUCCESS, LocalFree},
    Security::{
        ACL,
        Authorization::{ConvertStringSecurityDescriptorToSecurityDescriptorW, SDDL_REVISION_1, SE_FILE_OBJECT, SetNamedSecurityInfoW},
        DACL_SECURITY_INFORMATION, GetSecurityDescriptorDacl, PROTECTED_DACL_SECURITY_INFORMATION, PSECURITY_DESCRIPTOR,
    },
};

fn sid() -> io::Result<String> {
    common::owner::own_sid().ok_or_else(|| io::Error::other("the system does not tell who this user is"))
}

/// The owner and the system everything; nobody else anything. Sessions over SSH and the like carry the mark of the network
/// and are this user's all the same (FAULTS W8); who is really elsewhere is refused by the mode of the pipe.
fn pipe_sddl(sid: &str) -> String {
    format!("D:P(A;;GA;;;{sid})(A;;GA;;;SY)")
}

/// The same for a folder and all that is made in it: database, logs, tokens.
fn folder_sddl(sid: &str) -> String {
    format!("D:P(A;OICI;FA;;;{sid})(A;OICI;FA;;;SY)")
}

/// For the endpoint's pipe.
pub(super) fn pipe_descriptor() -> io::Result<SecurityDescriptor> {
    let text = U16CString::from_str(pipe_sddl(&sid()?)).map_err(io::Error::other)?;
    SecurityDescriptor::deserialize(&text)
}

/// Takes what a folder inherits from it and gives it to its owner alone.
pub(super) fn close_folder(folder: &Path) -> io::Result<()> {
    let text = U16CString::from_str(folder_sddl(&sid()?)).map_err(io::Error::other)?;
    let name = U16CString::from_vec(folder.as_os_str().encode_wide().collect::<Vec<_>>()).map_err(io::Error::other)?;
    let mut descriptor: PSECURITY_DESCRIPTOR = ptr::null_mut();
    // SAFETY: `text` ends with a zero; the call allocates `descriptor`, which is freed below and not used after.
    if unsafe { ConvertStringSecurityDescriptorToSecurityDescriptorW(text.as_ptr(), SDDL_REVISION_1, &mut descriptor, ptr::null_mut()) }
        == 0
    {
        return Err(io::Error::last_os_error());
    }
    let (mut present, mut defaulted) = (0, 0);
    let mut dacl: *mut ACL = ptr::null_mut();
    // SAFETY: `descriptor` is the valid one from above; `dacl` points into it and is used before it is freed.
    let read = unsafe { GetSecurityDescriptorDacl(descriptor, &mut present, &mut dacl, &mut defaulted) };
    let result = if read == 0 {
        Err(io::Error::last_os_error())
    } else {
        let what = DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION;
        // SAFETY: `name` ends with a zero and `dacl` is valid; owner, group and audit list are left alone by null.
        match unsafe { SetNamedSecurityInfoW(name.as_ptr(), SE_FILE_OBJECT, what, ptr::null_mut(), ptr::null_mut(), dacl, ptr::null()) } {
            ERROR_SUCCESS => Ok(()),
            code => Err(io::Error::from_raw_os_error(i32::try_from(code).unwrap_or(i32::MAX))),
        }
    };
    // SAFETY: allocated by the conversion above, freed once.
    unsafe { LocalFree(descriptor) };
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use windows_sys::Win32::Security::Authorization::{ConvertSecurityDescriptorToStringSecurityDescriptorW, GetNamedSecurityInfoW};

    /// What the system has stored, as text.
    fn stored(folder: &Path) -> String {
        let name = U16CString::from_vec(folder.as_os_str().encode_wide().collect::<Vec<_>>()).unwrap();
        let mut descriptor: PSECURITY_DESCRIPTOR = ptr::null_mut();
        let mut text: *mut u16 = ptr::null_mut();
        // SAFETY: out pointers of our own; both allocations are freed below.
        unsafe {
            let what = DACL_SECURITY_INFORMATION;
            assert_eq!(
                GetNamedSecurityInfoW(
                    name.as_ptr(),
                    SE_FILE_OBJECT,
                    what,
                    ptr::null_mut(),
                    ptr::null_mut(),
                    ptr::null_mut(),
                    ptr::null_mut(),
                    &mut descriptor
                ),
                0
            );
            let converted =
                ConvertSecurityDescriptorToStringSecurityDescriptorW(descriptor, SDDL_REVISION_1, what, &mut text, ptr::null_mut());
            assert_ne!(converted, 0);
            let read = widestring::U16CStr::from_ptr_str(text).to_string_lossy();
            LocalFree(text.cast());
            LocalFree(descriptor);
            read
        }
    }

    #[test]
    fn a_closed_folder_is_its_owner_s_and_the_system_s_alone() {
        let folder = tempfile::tempdir().unwrap();
        close_folder(folder.path()).unwrap();
        let (stored, sid) = (stored(folder.path()), sid().unwrap());
        // Wine adds what the folder above allows; that nobody else is named there is seen on a Windows (docs/windows.md).
        assert_eq!(folder_sddl(&sid).matches("(A;").count(), 2);
        assert!(stored.contains(&sid) && stored.contains(";SY)"), "{stored}");
        std::fs::write(folder.path().join("inside"), "x").unwrap();
    }

    #[test]
    fn the_pipe_is_its_owner_s_and_the_system_s_alone() {
        assert_eq!(pipe_sddl("S-1"), "D:P(A;;GA;;;S-1)(A;;GA;;;SY)");
        assert!(pipe_descriptor().is_ok());
    }
}
