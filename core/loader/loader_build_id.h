/*
 * The build-id that the linker gave an ELF file: which build of a module it is.
 */
#ifndef LOADER_BUILD_ID_H
#define LOADER_BUILD_ID_H

#define LOADER_BUILD_ID_SIZE 65 /* up to 32 bytes in hex, and NUL */

/* Of the file at `path`, which may be anything; "" where it has none, or is no ELF file of this machine. */
void loader_build_id(const char *path, char text[LOADER_BUILD_ID_SIZE]);

#endif
