/* Luminous red galaxies per brick with CFITSIO: the oracle of the tests and a peer of the benchmarks.
 *
 *   cc -O3 sweep.c -o sweep $(pkg-config --cflags --libs cfitsio) -lm
 *   sweep [--observed] [--list] FILE...
 *
 * Reads the columns a careful job needs, a column at a time over the number of rows that CFITSIO recommends, and
 * applies the cut z < 20.4, r - z > 0.4, z - W1 > 0.8 to dereddened magnitudes (--observed: to magnitudes as
 * stored). --list prints the count of each brick; the last line has the totals. */
#include <fitsio.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { R, Z, W1, BANDS };
enum { NAME = 8, TYPE = 4, SLOTS = 1 << 20 };

static const char *const FLUX[BANDS] = {"FLUX_R", "FLUX_Z", "FLUX_W1"};
static const char *const TRANSMISSION[BANDS] = {"MW_TRANSMISSION_R", "MW_TRANSMISSION_Z", "MW_TRANSMISSION_W1"};

static struct slot {
    char name[NAME + 1];
    long count;
} bricks[SLOTS];
static long brick_count;

static void count_brick(const char *name) {
    unsigned long hash = 5381;
    for (const char *c = name; *c; c++) hash = hash * 33 + (unsigned char)*c;
    for (;; hash++) {
        struct slot *slot = &bricks[hash % SLOTS];
        if (slot->count == 0) {
            strncpy(slot->name, name, NAME);
            brick_count++;
        } else if (strcmp(slot->name, name) != 0) {
            continue;
        }
        slot->count++;
        return;
    }
}

static void must(int status, const char *what) {
    if (status == 0) return;
    fprintf(stderr, "%s:\n", what);
    fits_report_error(stderr, status);
    exit(1);
}

static void *room(size_t count, size_t size) {
    void *block = calloc(count, size);
    if (block == NULL) {
        fputs("out of memory\n", stderr);
        exit(1);
    }
    return block;
}

static char **strings(long count, int width) {
    char **rows = room((size_t)count, sizeof *rows), *text = room((size_t)count, (size_t)width + 1);
    for (long i = 0; i < count; i++) rows[i] = text + i * (width + 1);
    return rows;
}

static int column(fitsfile *file, const char *name, const char *path) {
    int number, status = 0;
    fits_get_colnum(file, CASEINSEN, (char *)name, &number, &status);
    must(status, path);
    return number;
}

struct totals {
    long rows, selected, point, clean;
    double sky;
};

static void count_file(const char *path, int observed, struct totals *totals) {
    fitsfile *file;
    int status = 0, any;
    long rows, step;
    fits_open_file(&file, path, READONLY, &status);
    fits_movabs_hdu(file, 2, NULL, &status);
    fits_get_num_rows(file, &rows, &status);
    fits_get_rowsize(file, &step, &status);
    must(status, path);

    int c_name = column(file, "BRICKNAME", path), c_type = column(file, "TYPE", path);
    int c_ra = column(file, "RA", path), c_dec = column(file, "DEC", path), c_bits = column(file, "MASKBITS", path);
    int c_flux[BANDS], c_trans[BANDS];
    float *flux[BANDS], *trans[BANDS];
    for (int b = 0; b < BANDS; b++) {
        c_flux[b] = column(file, FLUX[b], path);
        c_trans[b] = column(file, TRANSMISSION[b], path);
        flux[b] = room((size_t)step, sizeof(float));
        trans[b] = room((size_t)step, sizeof(float));
    }
    char **names = strings(step, NAME), **types = strings(step, TYPE);
    double *ra = room((size_t)step, sizeof *ra), *dec = room((size_t)step, sizeof *dec);
    int *bits = room((size_t)step, sizeof *bits);

    for (long first = 1; first <= rows; first += step) {
        long n = rows - first + 1 < step ? rows - first + 1 : step;
        fits_read_col_str(file, c_name, first, 1, n, "", names, &any, &status);
        fits_read_col_str(file, c_type, first, 1, n, "", types, &any, &status);
        for (int b = 0; b < BANDS; b++) {
            fits_read_col_flt(file, c_flux[b], first, 1, n, 0, flux[b], &any, &status);
            fits_read_col_flt(file, c_trans[b], first, 1, n, 0, trans[b], &any, &status);
        }
        fits_read_col_dbl(file, c_ra, first, 1, n, 0, ra, &any, &status);
        fits_read_col_dbl(file, c_dec, first, 1, n, 0, dec, &any, &status);
        fits_read_col_int(file, c_bits, first, 1, n, 0, bits, &any, &status);
        must(status, path);
        for (long i = 0; i < n; i++) {
            double mag[BANDS];
            for (int b = 0; b < BANDS; b++)
                mag[b] = 22.5 - 2.5 * log10((double)flux[b][i] / (observed ? 1.0 : (double)trans[b][i]));
            /* The magnitude of a flux that is not positive is NaN, or +inf for zero, which stands for nothing. */
            if (!(flux[R][i] > 0 && flux[Z][i] > 0 && flux[W1][i] > 0)) continue;
            if (!(mag[Z] < 20.4 && mag[R] - mag[Z] > 0.4 && mag[Z] - mag[W1] > 0.8)) continue;
            totals->selected++;
            totals->point += strncmp(types[i], "PSF", 3) == 0;
            totals->clean += bits[i] == 0;
            totals->sky += ra[i] + dec[i];
            count_brick(names[i]);
        }
    }
    totals->rows += rows;
    fits_close_file(file, &status);
    must(status, path);
    for (int b = 0; b < BANDS; b++) free(flux[b]), free(trans[b]);
    free(names[0]), free(names), free(types[0]), free(types), free(ra), free(dec), free(bits);
}

int main(int argc, char **argv) {
    int observed = 0, list = 0, files = 0;
    struct totals totals = {0};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--observed") == 0) {
            observed = 1;
        } else if (strcmp(argv[i], "--list") == 0) {
            list = 1;
        } else {
            count_file(argv[i], observed, &totals);
            files++;
        }
    }
    if (files == 0) {
        fputs("sweep [--observed] [--list] FILE...\n", stderr);
        return 2;
    }
    for (long i = 0; list && i < SLOTS; i++)
        if (bricks[i].count > 0) printf("%s,%ld\n", bricks[i].name, bricks[i].count);
    printf("rows=%ld lrg=%ld bricks=%ld point=%ld clean=%ld sky=%.6f\n", totals.rows, totals.selected, brick_count,
           totals.point, totals.clean, totals.sky);
    return 0;
}
