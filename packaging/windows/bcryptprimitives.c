/* The one function of bcryptprimitives.dll that Rust's std imports, for a Wine that lacks the DLL. Takes the bytes from
 * the system's random numbers (SystemFunction036 of advapi32). Must never go onto a real Windows. */

#include <windows.h>

BOOLEAN NTAPI SystemFunction036(PVOID buffer, ULONG length);

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE buffer, SIZE_T length) {
    const SIZE_T at_once_max = 1 << 30;
    while (length > 0) {
        SIZE_T part = length < at_once_max ? length : at_once_max;
        if (!SystemFunction036(buffer, (ULONG)part)) return FALSE;
        buffer += part;
        length -= part;
    }
    return TRUE;
}
