/* Images with CFITSIO: a peer of the benchmarks, and what all readers must agree with.
 *
 *   cc -O3 images.c -o images $(pkg-config --cflags --libs cfitsio) -lm
 *   images decode STEP FILE           every STEP-th pixel of the image in the second HDU
 *   images cutouts STEP FILE SIZE N   every STEP-th pixel of N squares at random places
 *   images sums FILE...               HDUs whose DATASUM and CHECKSUM are right
 *
 * Prints a digest: the sum of the pixels, each times its place. Integers are read as int, floats as float. */
#include <fitsio.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(int status, const char *what) {
    if (status == 0) return;
    fprintf(stderr, "%s:\n", what);
    fits_report_error(stderr, status);
    exit(1);
}

struct image {
    fitsfile *file;
    long columns, rows;
    int type;
};

static struct image open_image(const char *path) {
    struct image image;
    int status = 0, bitpix, axes;
    long size[2];
    fits_open_file(&image.file, path, READONLY, &status);
    fits_movabs_hdu(image.file, 2, NULL, &status);
    fits_get_img_param(image.file, 2, &bitpix, &axes, size, &status);
    must(status, path);
    if (axes != 2) {
        fprintf(stderr, "%s: the image has not two axes\n", path);
        exit(1);
    }
    image.columns = size[0];
    image.rows = size[1];
    image.type = bitpix < 0 ? TFLOAT : TINT;
    return image;
}

static uint64_t digest, place;

static void add(const uint32_t *pixels, long count, long step, int type) {
    long first = (long)((step - place % step) % step);
    for (long i = first; i < count; i += step) {
        float value;
        uint32_t bits = pixels[i];
        memcpy(&value, &bits, sizeof value);
        if (type == TFLOAT && isnan(value)) bits = 0x7fc00000; /* all NaNs are one */
        digest += bits * (2 * (place + (uint64_t)i) + 1);
    }
    place += (uint64_t)count;
}

static void *room(long pixels) {
    void *block = malloc((size_t)pixels * sizeof(uint32_t));
    if (block == NULL) {
        fputs("out of memory\n", stderr);
        exit(1);
    }
    return block;
}

static void decode(const char *path, long step) {
    struct image image = open_image(path);
    int status = 0, any;
    long first[2] = {1, 1}, count = image.columns * image.rows;
    float null = NAN;
    void *pixels = room(count);
    fits_read_pix(image.file, image.type, first, count, image.type == TFLOAT ? &null : NULL, pixels, &any, &status);
    fits_close_file(image.file, &status);
    must(status, path);
    add(pixels, count, step, image.type);
    free(pixels);
}

/* A generator that is the same in every language. */
static long next(uint64_t *state, long below) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (long)((*state >> 33) % (uint64_t)below);
}

static void cutouts(const char *path, long step, long size, long count) {
    struct image image = open_image(path);
    uint64_t state = 12345;
    int status = 0, any;
    float null = NAN;
    void *pixels = room(size * size);
    for (long i = 0; i < count; i++) {
        long x = next(&state, image.columns - size), y = next(&state, image.rows - size);
        long first[2] = {x + 1, y + 1}, last[2] = {x + size, y + size}, every[2] = {1, 1};
        fits_read_subset(image.file, TFLOAT, first, last, every, &null, pixels, &any, &status);
        must(status, path);
        add(pixels, size * size, step, TFLOAT);
    }
    fits_close_file(image.file, &status);
    must(status, path);
    free(pixels);
}

static void sums(const char *path, long *cards) {
    fitsfile *file;
    int status = 0, hdus, data, hdu, count;
    char *text;
    fits_open_file(&file, path, READONLY, &status);
    fits_get_num_hdus(file, &hdus, &status);
    must(status, path);
    for (int number = 1; number <= hdus; number++) {
        fits_movabs_hdu(file, number, NULL, &status);
        fits_hdr2str(file, 0, NULL, 0, &text, &count, &status);
        fits_verify_chksum(file, &data, &hdu, &status);
        must(status, path);
        *cards += count;
        digest += data == 1 && hdu == 1;
        fits_free_memory(text, &status);
    }
    fits_close_file(file, &status);
    must(status, path);
}

int main(int argc, char **argv) {
    const char *job = argc > 1 ? argv[1] : "";
    if (strcmp(job, "decode") == 0 && argc == 4) {
        decode(argv[3], atol(argv[2]));
    } else if (strcmp(job, "cutouts") == 0 && argc == 6) {
        cutouts(argv[3], atol(argv[2]), atol(argv[4]), atol(argv[5]));
    } else if (strcmp(job, "sums") == 0 && argc > 2) {
        long cards = 0;
        for (int i = 2; i < argc; i++) sums(argv[i], &cards);
        printf("cards=%ld\n", cards);
    } else {
        fputs("images decode STEP FILE | cutouts STEP FILE SIZE N | sums FILE...\n", stderr);
        return 2;
    }
    printf("digest=%llu\n", (unsigned long long)digest);
    return 0;
}
