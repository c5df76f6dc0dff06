/* Two figures of a CPU: read bandwidth of main memory and the rate of an FP32 matrix kernel, all threads at once.

   usage: microbench THREADS BYTES_PER_THREAD SECONDS_PER_PHASE
   prints: read_gb_s=... matmul_gflops=... passes=...

   Reading: in each pass every thread sums the next slice of its own buffer; the buffers together far exceed the caches.
   Memory is shared, so a pass lasts from the first thread's start to the last one's end; the best pass counts (as in
   STREAM). Passes are short, so that some are undisturbed on a busy machine.
   Matrix kernel: the register tile of a blocked product (ROWS x 2 vectors), operands in the first-level cache. Cores do
   not share that, so the best passes of the threads are added up. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#if defined(__AVX512F__)
#define WIDTH 16
#define ROWS 12
#elif defined(__AVX__)
#define WIDTH 8
#define ROWS 6
#elif defined(__aarch64__)
#define WIDTH 4
#define ROWS 12
#else
#define WIDTH 4
#define ROWS 6
#endif
#define DEPTH 128
#define TILES 2000
#if defined(__x86_64__)
#define KEEP(vector) __asm__("" : "+x"(vector)) /* in a register: reading it again for each row would bound the rate */
#elif defined(__aarch64__)
#define KEEP(vector) __asm__("" : "+w"(vector))
#else
#define KEEP(vector)
#endif
#define SLICE_BYTES ((size_t)16 << 20)
#define MAX_PASSES 10000
#define MAX_THREADS 4096

typedef float lanes __attribute__((vector_size(WIDTH * 4)));
typedef uint64_t words __attribute__((vector_size(WIDTH * 4)));

static int threads;
static size_t bytes, slice;
static double seconds;
static double began[MAX_THREADS], ended[MAX_THREADS], shortest[MAX_THREADS];
static int passes;
static _Thread_local volatile uint64_t sink; /* what is never used may be left out */
static _Thread_local volatile float float_sink;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turned = PTHREAD_COND_INITIALIZER;
static int waiting, turn;

static void meet(void) { /* macOS has no pthread_barrier */
    pthread_mutex_lock(&lock);
    int mine = turn;
    if (++waiting == threads) { waiting = 0; turn++; pthread_cond_broadcast(&turned); }
    while (mine == turn) pthread_cond_wait(&turned, &lock);
    pthread_mutex_unlock(&lock);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static uint64_t read_all(const words *buffer, size_t count) {
    words a = {0}, b = {0}, c = {0}, d = {0};
    for (size_t i = 0; i + 4 <= count; i += 4) { a += buffer[i]; b += buffer[i + 1]; c += buffer[i + 2]; d += buffer[i + 3]; }
    a += b + c + d;
    return a[0] ^ a[1];
}

__attribute__((noinline)) static float multiply_tile(const float *left, const lanes *right) {
    lanes sum[ROWS][2] = {{{0}}};
    for (int k = 0; k < DEPTH; k++) {
        lanes even = right[2 * k], odd = right[2 * k + 1];
        KEEP(even);
        KEEP(odd);
        for (int r = 0; r < ROWS; r++) {
            lanes same = left[k * ROWS + r] - (lanes){0}; /* one value in every lane */
            sum[r][0] += same * even;
            sum[r][1] += same * odd;
        }
    }
    float total = 0;
    for (int r = 0; r < ROWS; r++) total += sum[r][0][0] + sum[r][1][WIDTH - 1];
    return total;
}

static double pass_seconds(void) { /* of all threads together */
    double first = began[0], last = ended[0];
    for (int i = 1; i < threads; i++) {
        if (began[i] < first) first = began[i];
        if (ended[i] > last) last = ended[i];
    }
    return last - first;
}

/* Repeats one phase until its time is over; keeps each thread's and all threads' shortest pass after a warm-up. */
static double measure(int thread, void (*phase)(char *, int), char *data) {
    static int going;
    double start = now(), together = 1e9;
    shortest[thread] = 1e9;
    for (int pass = 0; pass < MAX_PASSES; pass++) {
        if (thread == 0) going = pass < 2 || now() - start < seconds;
        meet();
        if (!going) break;
        began[thread] = now();
        phase(data, pass);
        ended[thread] = now();
        if (pass > 0 && ended[thread] - began[thread] < shortest[thread]) shortest[thread] = ended[thread] - began[thread];
        meet();
        if (thread != 0) continue;
        if (pass > 0 && pass_seconds() < together) together = pass_seconds();
        passes++;
    }
    meet();
    return together;
}

static void read_phase(char *data, int pass) {
    size_t slices = bytes / slice;
    sink ^= read_all((const words *)(data + pass % slices * slice), slice / sizeof(words));
}

static void multiply_phase(char *data, int pass) {
    (void)pass;
    float total = 0;
    const float *left = (const float *)data;
    const lanes *right = (const lanes *)(left + DEPTH * ROWS);
    for (int i = 0; i < TILES; i++) total += multiply_tile(left + i % 8, right); /* varied: not computed once for all */
    float_sink = total;
}

static void *work(void *argument) {
    int thread = (int)(intptr_t)argument;
    float *buffer = NULL;
    if (posix_memalign((void **)&buffer, 64, bytes)) exit(3);
    for (size_t i = 0; i < bytes / sizeof(float); i++) buffer[i] = 1.0f + (float)(i & 7);
    double reading = measure(thread, read_phase, (char *)buffer);
    measure(thread, multiply_phase, (char *)buffer);
    free(buffer);
    if (thread != 0) return NULL;
    double passes_a_second = 0;
    for (int i = 0; i < threads; i++) passes_a_second += 1 / shortest[i];
    printf("read_gb_s=%.3f matmul_gflops=%.3f passes=%d\n", (double)slice * threads / reading / 1e9,
           2.0 * ROWS * 2 * WIDTH * DEPTH * TILES * passes_a_second / 1e9, passes);
    return NULL;
}

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    threads = atoi(argv[1]);
    bytes = strtoull(argv[2], NULL, 10) / 4096 * 4096;
    slice = bytes < SLICE_BYTES ? bytes : SLICE_BYTES;
    seconds = atof(argv[3]);
    if (threads < 1 || threads > MAX_THREADS || bytes < 65536) return 2;
    pthread_t others[MAX_THREADS];
    for (int i = 1; i < threads; i++)
        if (pthread_create(&others[i], NULL, work, (void *)(intptr_t)i)) return 3;
    work(NULL);
    for (int i = 1; i < threads; i++) pthread_join(others[i], NULL);
    return 0;
}
