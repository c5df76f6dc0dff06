/* Two figures of a CPU: read bandwidth of main memory and the rate of an FP32 matrix kernel, all threads at once.

   usage: microbench THREADS BYTES_PER_THREAD SECONDS_PER_PHASE
   prints: read_gb_s=... matmul_gflops=... passes=...

   A pass lasts from the first thread's start to the last one's end; the best pass counts, as in STREAM. Passes are a few
   milliseconds, so that some are undisturbed on a busy machine.
   Reading: in each pass every thread sums the next slice of its own buffer; the buffers together far exceed the caches.
   Matrix kernel: the register tile of a blocked product (ROWS x 2 vectors), operands in the first-level cache. */
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
#define SLICE_BYTES ((size_t)16 << 20)
#define MAX_PASSES 10000
#define MAX_THREADS 4096

typedef float lanes __attribute__((vector_size(WIDTH * 4)));
typedef uint64_t words __attribute__((vector_size(WIDTH * 4)));

static int threads;
static size_t bytes, slice;
static double seconds, best_read, best_flops;
static double began[MAX_THREADS], ended[MAX_THREADS];
static int passes;
static volatile uint64_t sink;
static volatile float float_sink;

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

static float multiply_tile(const float *left, const lanes *right) {
    lanes sum[ROWS][2] = {{{0}}};
    for (int k = 0; k < DEPTH; k++)
        for (int r = 0; r < ROWS; r++) {
            lanes same = left[k * ROWS + r] - (lanes){0}; /* one value in every lane */
            sum[r][0] += same * right[2 * k];
            sum[r][1] += same * right[2 * k + 1];
        }
    float total = 0;
    for (int r = 0; r < ROWS; r++) total += sum[r][0][0] + sum[r][1][WIDTH - 1];
    return total;
}

static double pass_seconds(void) {
    double first = began[0], last = ended[0];
    for (int i = 1; i < threads; i++) {
        if (began[i] < first) first = began[i];
        if (ended[i] > last) last = ended[i];
    }
    return last - first;
}

/* Repeats one phase until its time is over; thread 0 keeps the best rate of a pass, the first being a warm-up. */
static void measure(int thread, double *best, double work, void (*phase)(char *, int), char *data) {
    static int going;
    double start = now();
    for (int pass = 0; pass < MAX_PASSES; pass++) {
        if (thread == 0) going = pass < 2 || now() - start < seconds;
        meet();
        if (!going) break;
        began[thread] = now();
        phase(data, pass);
        ended[thread] = now();
        meet();
        if (thread != 0) continue;
        double rate = work * threads / pass_seconds();
        if (pass > 0 && rate > *best) *best = rate;
        passes++;
    }
    meet();
}

static void read_phase(char *data, int pass) {
    size_t slices = bytes / slice;
    sink ^= read_all((const words *)(data + pass % slices * slice), slice / sizeof(words));
}

static void multiply_phase(char *data, int pass) {
    (void)pass;
    float total = 0;
    for (int i = 0; i < TILES; i++) total += multiply_tile((float *)data, (const lanes *)((float *)data + DEPTH * ROWS));
    float_sink = total;
}

static void *work(void *argument) {
    int thread = (int)(intptr_t)argument;
    float *buffer = NULL;
    if (posix_memalign((void **)&buffer, 64, bytes)) exit(3);
    for (size_t i = 0; i < bytes / sizeof(float); i++) buffer[i] = 1.0f + (float)(i & 7);
    measure(thread, &best_read, (double)slice, read_phase, (char *)buffer);
    measure(thread, &best_flops, 2.0 * ROWS * 2 * WIDTH * DEPTH * TILES, multiply_phase, (char *)buffer);
    free(buffer);
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
    printf("read_gb_s=%.3f matmul_gflops=%.3f passes=%d\n", best_read / 1e9, best_flops / 1e9, passes);
    return 0;
}
