/*
 * The figures of tests/bench/run.sh as a table on standard output and as JSON in a file. Ends with a line on standard error
 * and status 1 when a line is no figure or the file cannot be written.
 */
#include "table.h"

#include <stdlib.h>

int main(int argc, char **argv)
{
    struct table table = {0};
    FILE *file = argc == 5 ? fopen(argv[1], "r") : NULL;
    int rc;

    if (!file) {
        fprintf(stderr, "usage: table FIGURES JSON MACHINE DATE\n");
        return 2;
    }
    table_read(&table, file);
    fclose(file);
    table_print(&table);
    table_print_goals(&table);
    rc = table_write(&table, argv[2], argv[3], argv[4]);
    if (rc != 0) {
        perror(argv[2]);
    }
    table_free(&table);
    return rc != 0;
}
