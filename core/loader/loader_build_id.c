/*
 * Build-ids. Runs in the bus, and beside the master for its reports. Reads a file that may have been made to mislead: each offset
 * is one for pread(), each size is bounded.
 */
#include "loader/loader_build_id.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SEGMENTS_MAX 64u
#define NOTES_MAX    4096u /* bytes of one segment that are looked at */
#define ID_MAX       ((LOADER_BUILD_ID_SIZE - 1) / 2)

static bool read_at(int fd, void *room, size_t size, uint64_t offset)
{
    return offset <= INT64_MAX && pread(fd, room, size, (off_t)offset) == (ssize_t)size;
}

static void print(const unsigned char *bytes, size_t len, char text[LOADER_BUILD_ID_SIZE])
{
    for (size_t i = 0; i < len; i++) {
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    }
}

/* Notes: a head, the name, the description, each filled up to 4 bytes. */
static bool find_note(const char *notes, size_t size, char text[LOADER_BUILD_ID_SIZE])
{
    ElfW(Nhdr) note;
    size_t at = 0;

    while (size - at >= sizeof(note)) {
        size_t name, id;
        memcpy(&note, notes + at, sizeof(note));
        if (note.n_namesz > size || note.n_descsz > size) {
            return false;
        }
        name = at + sizeof(note);
        id = name + (note.n_namesz + 3u) / 4 * 4;
        at = id + (note.n_descsz + 3u) / 4 * 4;
        if (at > size) {
            return false;
        }
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && memcmp(notes + name, "GNU", 4) == 0 &&
            note.n_descsz <= ID_MAX) {
            print((const unsigned char *)notes + id, note.n_descsz, text);
            return true;
        }
    }
    return false;
}

static void search(int fd, char text[LOADER_BUILD_ID_SIZE])
{
    const unsigned char class = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32;
    ElfW(Ehdr) head;
    ElfW(Phdr) segment;
    char notes[NOTES_MAX];

    if (!read_at(fd, &head, sizeof(head), 0) || memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 ||
        head.e_ident[EI_CLASS] != class) {
        return;
    }
    for (unsigned i = 0; i < head.e_phnum && i < SEGMENTS_MAX; i++) {
        size_t size;
        if (!read_at(fd, &segment, sizeof(segment), head.e_phoff + i * sizeof(segment))) {
            return;
        }
        size = segment.p_filesz < sizeof(notes) ? segment.p_filesz : sizeof(notes);
        if (segment.p_type == PT_NOTE && read_at(fd, notes, size, segment.p_offset) &&
            find_note(notes, size, text)) {
            return;
        }
    }
}

void loader_build_id(const char *path, char text[LOADER_BUILD_ID_SIZE])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    text[0] = '\0';
    if (fd >= 0) {
        search(fd, text);
        close(fd);
    }
}
