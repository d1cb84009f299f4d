// The least that the work of each kernel in kernels.py takes: plain C over arrays that are in memory already.
//
// Usage: bounds KERNEL FOLDER, where FOLDER holds the columns as raw little-endian arrays (make_kernels.py). It writes the CPU
// seconds of the fastest of five passes, and what the query must answer. Nothing here reads Parquet, checks for overflow or
// missing values, or uses more than one thread: a database cannot come down to it, but the distance says what is left to win.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

static const char *folder;
static size_t rows;

static void fail(const char *what) {
    fprintf(stderr, "bounds: %s\n", what);
    exit(1);
}

// Memory in large pages, every one touched, so that tables do not wait for addresses to be translated.
static void *allocated(size_t size) {
    size = (size + (2u << 20) - 1) & ~(size_t)((2u << 20) - 1);
    void *memory = aligned_alloc(2u << 20, size);
    if (!memory) fail("no memory");
    madvise(memory, size, MADV_HUGEPAGE);
    memset(memory, 0, size);
    return memory;
}

// A column's file, mapped, and every page of it touched.
static const void *column(const char *name, size_t *size) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.bin", folder, name);
    int file = open(path, O_RDONLY);
    struct stat status;
    if (file < 0 || fstat(file, &status) != 0) fail(path);
    void *memory = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0);
    if (memory == MAP_FAILED) fail("no mapping");
    if (size) *size = (size_t)status.st_size;
    return memory;
}

static const int32_t *integers(const char *name) {
    size_t size;
    const int32_t *values = column(name, &size);
    rows = size / 4;
    return values;
}

static const int64_t *longs(const char *name) {
    size_t size;
    const int64_t *values = column(name, &size);
    rows = size / 8;
    return values;
}

static const double *doubles(const char *name) { return (const double *)longs(name); }

// A column of texts: `offsets` has one number more than there are rows.
typedef struct {
    const int32_t *offsets;
    const char *bytes;
} Texts;

static Texts texts(const char *name) {
    char part[64];
    snprintf(part, sizeof part, "%s.offsets", name);
    Texts column_of_texts;
    column_of_texts.offsets = integers(part);
    rows -= 1;
    snprintf(part, sizeof part, "%s.bytes", name);
    column_of_texts.bytes = column(part, NULL);
    return column_of_texts;
}

// A table of at least so many places; keys fill half of it, as make_kernels.py has them.
static size_t power_of_two(size_t least) {
    size_t size = 16;
    while (size < least) size *= 2;
    return size;
}

static inline uint64_t hashed(uint64_t value) {
    value *= 0x9E3779B97F4A7C15u;
    return value ^ (value >> 32);
}

// Rows whose places in a table are asked for before the first of them is looked at.
enum { BLOCK = 64 };

// Four numbers at a time: a choice between them is a mask, where a compiler might make a branch that is foretold half of the times.
typedef double Doubles __attribute__((vector_size(32)));
typedef int64_t Longs __attribute__((vector_size(32)));
typedef int32_t Integers __attribute__((vector_size(16)));

static inline Doubles four(const double *values) {
    Doubles loaded;
    memcpy(&loaded, values, sizeof loaded);
    return loaded;
}

static inline Doubles where(Longs mask, Doubles values) { return (Doubles)((Longs)values & mask); }

static double total(Doubles sums) { return sums[0] + sums[1] + sums[2] + sums[3]; }

// Sorts keys with the numbers that belong to them by their low `bits` bits, eleven at a time, stable.
typedef struct {
    uint64_t key;
    double value;
} Pair;

static Pair *sorted(Pair *pairs, Pair *spare, size_t count, int bits) {
    for (int shift = 0; shift < bits; shift += 11) {
        size_t counts[2049] = {0};
        for (size_t row = 0; row < count; row++) counts[((pairs[row].key >> shift) & 2047) + 1]++;
        for (int place = 0; place < 2048; place++) counts[place + 1] += counts[place];
        for (size_t row = 0; row < count; row++) spare[counts[(pairs[row].key >> shift) & 2047]++] = pairs[row];
        Pair *other = pairs;
        pairs = spare;
        spare = other;
    }
    return pairs;
}

static double scan_integers(void) {
    static const int32_t *i;
    if (!i) i = integers("i");
    int64_t sum = 0;
    for (size_t row = 0; row < rows; row++) sum += i[row];
    return (double)sum;
}

static double scan_doubles(void) {
    static const double *x;
    if (!x) x = doubles("x");
    // Several sums side by side, as one would wait for each addition.
    double sums[8] = {0};
    size_t row = 0;
    for (; row + 8 <= rows; row += 8)
        for (int lane = 0; lane < 8; lane++) sums[lane] += x[row + lane];
    for (; row < rows; row++) sums[0] += x[row];
    return sums[0] + sums[1] + sums[2] + sums[3] + sums[4] + sums[5] + sums[6] + sums[7];
}

static double scan_texts(void) {
    static Texts s;
    if (!s.bytes) s = texts("s");
    int64_t sum = 0;
    for (size_t row = 0; row < rows; row++) sum += s.offsets[row + 1] - s.offsets[row];
    return (double)sum;
}

static double filter_few(void) {
    static const int32_t *i;
    if (!i) i = integers("i");
    size_t count = 0;
    for (size_t row = 0; row < rows; row++) count += i[row] < 21474836;
    return (double)count;
}

static double filter_half(void) {
    static const double *x, *y;
    if (!x) x = doubles("x"), y = doubles("y");
    Doubles left = {0}, right = {0};
    size_t row = 0;
    for (; row + 8 <= rows; row += 8) {
        left += where(four(y + row) < 0.5, four(x + row));
        right += where(four(y + row + 4) < 0.5, four(x + row + 4));
    }
    double rest = 0;
    for (; row < rows; row++) rest += y[row] < 0.5 ? x[row] : 0;
    return total(left + right) + rest;
}

static double filter_in(void) {
    static const int32_t *few;
    if (!few) few = integers("few");
    char wanted[100] = {0};
    wanted[3] = wanted[7] = wanted[19] = wanted[23] = wanted[42] = wanted[77] = wanted[91] = 1;
    size_t count = 0;
    for (size_t row = 0; row < rows; row++) count += (size_t)wanted[few[row]];
    return (double)count;
}

static double arithmetic_doubles(void) {
    static const double *x, *y;
    if (!x) x = doubles("x"), y = doubles("y");
    double sums[8] = {0};
    size_t row = 0;
    for (; row + 8 <= rows; row += 8)
        for (int lane = 0; lane < 8; lane++) sums[lane] += x[row + lane] * y[row + lane] + x[row + lane] * 2 - y[row + lane] / 3;
    for (; row < rows; row++) sums[0] += x[row] * y[row] + x[row] * 2 - y[row] / 3;
    return sums[0] + sums[1] + sums[2] + sums[3] + sums[4] + sums[5] + sums[6] + sums[7];
}

static double arithmetic_integers(void) {
    static const int32_t *i, *few;
    if (!i) i = integers("i"), few = integers("few");
    int64_t sum = 0;
    for (size_t row = 0; row < rows; row++) sum += i[row] % 1000 * 3 + few[row];
    return (double)sum;
}

static double arithmetic_decimals(void) {
    static const int64_t *price;
    if (!price) price = longs("price");
    __int128 sum = 0;
    for (size_t row = 0; row < rows; row++) sum += (__int128)price[row] * (10000 - price[row]);
    return (double)sum / 10000;
}

static double choice(void) {
    static const int32_t *few;
    static const double *x, *y;
    if (!x) x = doubles("x"), y = doubles("y"), few = integers("few");
    Doubles sums = {0};
    size_t row = 0;
    for (; row + 4 <= rows; row += 4) {
        Integers narrow;
        memcpy(&narrow, few + row, sizeof narrow);
        Longs key = __builtin_convertvector(narrow, Longs);
        sums += where(key < 10, four(x + row)) + where((key >= 10) & (key < 50), four(y + row));
    }
    double rest = 0;
    for (; row < rows; row++) rest += few[row] < 10 ? x[row] : few[row] < 50 ? y[row] : 0;
    return total(sums) + rest;
}

static double group_few(void) {
    static const int32_t *few;
    static const double *x;
    if (!x) x = doubles("x"), few = integers("few");
    // Four tables, so that rows of one group after another do not wait for each other.
    double sums[4][100] = {{0}}, answer = 0;
    for (size_t row = 0; row < rows; row++) sums[row & 3][few[row]] += x[row];
    for (int key = 0; key < 100; key++) answer += key * (sums[0][key] + sums[1][key] + sums[2][key] + sums[3][key]);
    return answer;
}

static double group_many(void) {
    static const int64_t *many;
    static struct { int64_t key, count; } *table;
    static size_t size;
    if (!many) many = longs("many"), size = power_of_two(rows / 2), table = allocated(size * sizeof *table);
    memset(table, 0, size * sizeof *table);
    for (size_t first = 0; first < rows; first += BLOCK) {
        size_t places[BLOCK], count = rows - first < BLOCK ? rows - first : BLOCK;
        for (size_t each = 0; each < count; each++) {
            places[each] = hashed((uint64_t)many[first + each]) & (size - 1);
            __builtin_prefetch(&table[places[each]]);
        }
        for (size_t each = 0; each < count; each++) {
            size_t place = places[each];
            while (table[place].count && table[place].key != many[first + each]) place = (place + 1) & (size - 1);
            table[place].key = many[first + each];
            table[place].count++;
        }
    }
    double answer = 0;
    for (size_t place = 0; place < size; place++) answer += (double)table[place].count * (double)table[place].count;
    return answer;
}

static double distinct(void) {
    static const int64_t *many;
    static int64_t *table;
    static size_t size;
    if (!many) many = longs("many"), size = power_of_two(rows / 2), table = allocated(size * sizeof *table);
    memset(table, 0xff, size * sizeof *table);
    size_t found = 0;
    for (size_t first = 0; first < rows; first += BLOCK) {
        size_t places[BLOCK], count = rows - first < BLOCK ? rows - first : BLOCK;
        for (size_t each = 0; each < count; each++) {
            places[each] = hashed((uint64_t)many[first + each]) & (size - 1);
            __builtin_prefetch(&table[places[each]]);
        }
        for (size_t each = 0; each < count; each++) {
            size_t place = places[each];
            while (table[place] != -1 && table[place] != many[first + each]) place = (place + 1) & (size - 1);
            found += table[place] == -1;
            table[place] = many[first + each];
        }
    }
    return (double)found;
}

static double group_texts(void) {
    // No word has more than 16 bytes, so that a word is two numbers.
    static Texts word;
    static struct { uint64_t head, tail, count, unused; } *table;
    static size_t size;
    if (!word.bytes) word = texts("word"), size = power_of_two(rows / 10), table = allocated(size * sizeof *table);
    memset(table, 0, size * sizeof *table);
    for (size_t first = 0; first < rows; first += BLOCK) {
        uint64_t heads[BLOCK], tails[BLOCK];
        size_t places[BLOCK], count = rows - first < BLOCK ? rows - first : BLOCK;
        for (size_t each = 0; each < count; each++) {
            const char *bytes = word.bytes + word.offsets[first + each];
            size_t length = (size_t)(word.offsets[first + each + 1] - word.offsets[first + each]);
            if (length > 16) fail("a word is longer than 16 bytes");
            char padded[16] = {0};
            // Past the last words there are no 16 bytes to read.
            if (first + each + 16 < rows) {
                __uint128_t both;
                memcpy(&both, bytes, 16);
                if (length < 16) both &= ((__uint128_t)1 << 8 * length) - 1;
                memcpy(padded, &both, 16);
            } else {
                memcpy(padded, bytes, length);
            }
            memcpy(&heads[each], padded, 8);
            memcpy(&tails[each], padded + 8, 8);
            places[each] = hashed(hashed(heads[each]) + tails[each]) & (size - 1);
            __builtin_prefetch(&table[places[each]]);
        }
        for (size_t each = 0; each < count; each++) {
            size_t place = places[each];
            while (table[place].count && (table[place].head != heads[each] || table[place].tail != tails[each])) place = (place + 1) & (size - 1);
            table[place].head = heads[each], table[place].tail = tails[each];
            table[place].count++;
        }
    }
    double answer = 0;
    for (size_t place = 0; place < size; place++) answer += (double)table[place].count * (double)table[place].count;
    return answer;
}

static double join(void) {
    static const int64_t *many, *keys;
    static const double *weights;
    static struct { int64_t key; double weight; } *table;
    static size_t size, count;
    if (!many) {
        keys = longs("k"), weights = doubles("w"), count = rows;
        many = longs("many"), size = power_of_two(count * 2), table = allocated(size * sizeof *table);
    }
    for (size_t place = 0; place < size; place++) table[place].key = -1;
    for (size_t row = 0; row < count; row++) {
        size_t place = hashed((uint64_t)keys[row]) & (size - 1);
        while (table[place].key != -1) place = (place + 1) & (size - 1);
        table[place].key = keys[row], table[place].weight = weights[row];
    }
    double sum = 0;
    for (size_t first = 0; first < rows; first += BLOCK) {
        size_t places[BLOCK], held = rows - first < BLOCK ? rows - first : BLOCK;
        for (size_t each = 0; each < held; each++) {
            places[each] = hashed((uint64_t)many[first + each]) & (size - 1);
            __builtin_prefetch(&table[places[each]]);
        }
        for (size_t each = 0; each < held; each++) {
            size_t place = places[each];
            while (table[place].key != -1 && table[place].key != many[first + each]) place = (place + 1) & (size - 1);
            sum += table[place].key != -1 ? table[place].weight : 0;
        }
    }
    return sum;
}

static double sort(void) {
    static const int32_t *i;
    static Pair *pairs, *spare;
    if (!i) i = integers("i"), pairs = allocated(rows * sizeof *pairs), spare = allocated(rows * sizeof *spare);
    for (size_t row = 0; row < rows; row++) pairs[row] = (Pair){(uint32_t)i[row], 0};
    Pair *order = sorted(pairs, spare, rows, 31);
    double answer = 0;
    for (size_t row = 0; row < rows; row++) answer += (double)order[row].key * (double)(row + 1);
    return answer;
}

static double running_sums(void) {
    static const int32_t *i, *few;
    static const double *x;
    static Pair *pairs, *spare;
    if (!i) {
        x = doubles("x"), few = integers("few"), i = integers("i");
        pairs = allocated(rows * sizeof *pairs), spare = allocated(rows * sizeof *spare);
    }
    for (size_t row = 0; row < rows; row++) pairs[row] = (Pair){(uint64_t)few[row] << 31 | (uint32_t)i[row], x[row]};
    Pair *order = sorted(pairs, spare, rows, 38);
    double answer = 0, running = 0;
    uint64_t before = UINT64_MAX;
    for (size_t row = 0; row < rows; row++) {
        if (order[row].key >> 31 != before) before = order[row].key >> 31, running = 0;
        running += order[row].value;
        answer += running;
    }
    return answer;
}

static double top(void) {
    static const double *x;
    if (!x) x = doubles("x");
    // A heap with the smallest of the largest on top; hardly any value gets into it.
    double heap[100];
    size_t held = 0;
    for (size_t row = 0; row < rows; row++) {
        size_t place;
        if (held < 100) {
            place = held++;
            for (; place > 0 && heap[(place - 1) / 2] > x[row]; place = (place - 1) / 2) heap[place] = heap[(place - 1) / 2];
            heap[place] = x[row];
        } else if (x[row] > heap[0]) {
            for (place = 0; 2 * place + 1 < held;) {
                size_t child = 2 * place + 1;
                if (child + 1 < held && heap[child + 1] < heap[child]) child++;
                if (heap[child] >= x[row]) break;
                heap[place] = heap[child], place = child;
            }
            heap[place] = x[row];
        }
    }
    double sum = 0;
    for (size_t place = 0; place < held; place++) sum += heap[place];
    return sum;
}

static double median(void) {
    static const double *x;
    static double *values;
    if (!x) x = doubles("x"), values = allocated(rows * sizeof *values);
    memcpy(values, x, rows * sizeof *values);
    // Hoare's selection of the upper middle; the lower one is the largest of what is left of it.
    size_t low = 0, high = rows - 1, wanted = rows / 2;
    while (low < high) {
        double pivot = values[low + (high - low) / 2];
        size_t left = low, right = high;
        for (;;) {
            while (values[left] < pivot) left++;
            while (values[right] > pivot) right--;
            if (left >= right) break;
            double other = values[left];
            values[left++] = values[right], values[right--] = other;
        }
        if (wanted <= right) high = right;
        else low = right + 1;
    }
    if (rows % 2) return values[wanted];
    double lower = values[0];
    for (size_t place = 1; place < wanted; place++) if (values[place] > lower) lower = values[place];
    return (lower + values[wanted]) / 2;
}

static double like_inside(void) {
    static Texts s;
    if (!s.bytes) s = texts("s");
    // All texts are searched as one; a find that crosses the end of its text is none.
    const char *at = s.bytes, *end = s.bytes + s.offsets[rows];
    size_t count = 0, row = 0;
    while ((at = memmem(at, (size_t)(end - at), "garden", 6))) {
        while (s.bytes + s.offsets[row + 1] <= at) row++;
        if (at + 6 <= s.bytes + s.offsets[row + 1]) count++, at = s.bytes + s.offsets[++row];
        else at++;
    }
    return (double)count;
}

static double like_start(void) {
    static Texts s;
    if (!s.bytes) s = texts("s");
    size_t count = 0;
    for (size_t row = 0; row < rows; row++) count += s.offsets[row + 1] - s.offsets[row] >= 6 && memcmp(s.bytes + s.offsets[row], "winter", 6) == 0;
    return (double)count;
}

static double like_two(void) {
    static Texts s;
    if (!s.bytes) s = texts("s");
    size_t count = 0;
    for (size_t row = 0; row < rows; row++) {
        const char *end = s.bytes + s.offsets[row + 1], *at = s.bytes + s.offsets[row];
        at = memmem(at, (size_t)(end - at), "rain", 4);
        count += at && memmem(at + 4, (size_t)(end - at - 4), "7", 1);
    }
    return (double)count;
}

static double upper(void) {
    static Texts s;
    static char *made;
    if (!s.bytes) s = texts("s"), made = allocated((size_t)s.offsets[rows] + 1);
    size_t size = (size_t)s.offsets[rows], count = 0;
    for (size_t place = 0; place < size; place++) made[place] = (char)(s.bytes[place] - ((unsigned char)(s.bytes[place] - 'a') < 26 ? 32 : 0));
    for (size_t row = 0; row < rows; row++) count += s.offsets[row + 1] - s.offsets[row] >= 4 && memcmp(made + s.offsets[row], "RAIN", 4) >= 0;
    return (double)count;
}

static double substring(void) {
    static Texts s;
    if (!s.bytes) s = texts("s");
    size_t count = 0;
    for (size_t row = 0; row < rows; row++) count += s.offsets[row + 1] - s.offsets[row] >= 6 && memcmp(s.bytes + s.offsets[row] + 2, "rden", 4) == 0;
    return (double)count;
}

static double concatenation(void) {
    static Texts s;
    static char *made;
    if (!s.bytes) s = texts("s"), made = allocated(2 * (size_t)s.offsets[rows] + rows);
    char *at = made;
    for (size_t row = 0; row < rows; row++) {
        size_t size = (size_t)(s.offsets[row + 1] - s.offsets[row]);
        memcpy(at, s.bytes + s.offsets[row], size);
        at[size] = '-';
        memcpy(at + size + 1, s.bytes + s.offsets[row], size);
        at += 2 * size + 1;
    }
    return (double)(at - made);
}

static double number_to_text(void) {
    static const int32_t *i;
    static char *made;
    if (!i) i = integers("i"), made = allocated(rows * 11);
    char *at = made;
    for (size_t row = 0; row < rows; row++) {
        char digits[10];
        int place = 10;
        uint32_t left = (uint32_t)i[row];
        do digits[--place] = (char)('0' + left % 10);
        while (left /= 10);
        memcpy(at, digits + place, (size_t)(10 - place));
        at += 10 - place;
    }
    return (double)(at - made);
}

static double text_to_number(void) {
    static Texts digits;
    if (!digits.bytes) digits = texts("digits");
    int64_t sum = 0;
    for (size_t row = 0; row < rows; row++) {
        int64_t value = 0;
        for (int32_t place = digits.offsets[row]; place < digits.offsets[row + 1]; place++) value = value * 10 + (digits.bytes[place] - '0');
        sum += value;
    }
    return (double)sum;
}

static double rounding(void) {
    static const double *x;
    if (!x) x = doubles("x");
    int64_t sum = 0;
    for (size_t row = 0; row < rows; row++) sum += (int64_t)(x[row] * 1000);
    return (double)sum;
}

static double years(void) {
    static const int64_t *t;
    if (!t) t = longs("t");
    int64_t sum = 0;
    for (size_t row = 0; row < rows; row++) {
        // Days since 1 March of the year 0, in eras of 400 years.
        uint32_t day = (uint32_t)(t[row] / 86400000000) + 719468, era = day / 146097, of_era = day % 146097;
        uint32_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
        uint32_t of_year = of_era - (365 * year + year / 4 - year / 100);
        sum += year + era * 400 + (of_year >= 306);
    }
    return (double)sum;
}

static const struct { const char *name; double (*run)(void); } kernels[] = {
    {"scan_integers", scan_integers}, {"scan_doubles", scan_doubles}, {"scan_texts", scan_texts}, {"filter_few", filter_few},
    {"filter_half", filter_half}, {"filter_in", filter_in}, {"arithmetic_doubles", arithmetic_doubles},
    {"arithmetic_integers", arithmetic_integers}, {"arithmetic_decimals", arithmetic_decimals}, {"choice", choice},
    {"group_few", group_few}, {"group_many", group_many}, {"group_texts", group_texts}, {"distinct", distinct}, {"join", join},
    {"sort", sort}, {"running_sums", running_sums}, {"top", top}, {"median", median}, {"like_inside", like_inside},
    {"like_start", like_start}, {"like_two", like_two}, {"upper", upper}, {"substring", substring}, {"concatenation", concatenation},
    {"number_to_text", number_to_text}, {"text_to_number", text_to_number}, {"rounding", rounding}, {"years", years},
};

static double seconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int count, char **arguments) {
    if (count != 3) fail("usage: bounds KERNEL FOLDER");
    folder = arguments[2];
    for (size_t kernel = 0; kernel < sizeof kernels / sizeof *kernels; kernel++) {
        if (strcmp(kernels[kernel].name, arguments[1]) != 0) continue;
        // The first pass maps the columns and allocates; it does not count.
        double value = kernels[kernel].run(), fastest = 1e9;
        for (int pass = 0; pass < 5; pass++) {
            double start = seconds();
            value = kernels[kernel].run();
            double taken = seconds() - start;
            if (taken < fastest) fastest = taken;
        }
        printf("%.9f %.17g\n", fastest, value);
        return 0;
    }
    fail("no such kernel");
}
