/* Two sustained figures of a CPU, all threads at once: read bandwidth of main memory and the rate of an FP32 matrix kernel.

   usage: microbench THREADS BYTES_PER_THREAD SECONDS_PER_PHASE
   prints: read_gb_s=... matmul_gflops=...

   Reading: every thread sums slice after slice of its own buffer; the buffers together far exceed the caches.
   Matrix kernel: the register tile of a blocked product (ROWS x 2 vectors), operands in the first-level cache.
   A thread's rate is its work over its own CPU time, so that a busy machine slows the measurement but hardly changes it;
   the rates of the threads are added up. */
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
#define MAX_THREADS 4096

#if defined(__x86_64__)
#define KEEP(vector) __asm__("" : "+x"(vector)) /* in a register: reading it again for each row would bound the rate */
#elif defined(__aarch64__)
#define KEEP(vector) __asm__("" : "+w"(vector))
#else
#define KEEP(vector)
#endif

typedef float lanes __attribute__((vector_size(WIDTH * 4)));
typedef uint64_t words __attribute__((vector_size(WIDTH * 4)));

static int threads;
static size_t bytes, slice;
static double seconds, read_rate[MAX_THREADS], multiply_rate[MAX_THREADS];
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

static double now(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static void read_slice(char *data, long pass) {
    const words *buffer = (const words *)(data + (size_t)pass % (bytes / slice) * slice);
    words a = {0}, b = {0}, c = {0}, d = {0};
    for (size_t i = 0; i < slice / sizeof(words); i += 4) {
        a += buffer[i]; b += buffer[i + 1]; c += buffer[i + 2]; d += buffer[i + 3];
    }
    a += b + c + d;
    sink ^= a[0] ^ a[1];
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

static void multiply_tiles(char *data, long pass) {
    const float *left = (const float *)data;
    const lanes *right = (const lanes *)(left + DEPTH * ROWS);
    float total = pass;
    for (int i = 0; i < TILES; i++) total += multiply_tile(left + i % 8, right); /* varied: not computed once for all */
    float_sink = total;
}

/* Repeats one pass until the phase's time is over, after a warm-up; work done per second of this thread's CPU time. */
static double measure(void (*pass)(char *, long), char *data, double work) {
    meet();
    double ends = now(CLOCK_MONOTONIC) + seconds;
    pass(data, 0);
    double began = now(CLOCK_THREAD_CPUTIME_ID);
    long passes = 0;
    do pass(data, ++passes); while (now(CLOCK_MONOTONIC) < ends);
    return passes * work / (now(CLOCK_THREAD_CPUTIME_ID) - began);
}

static void *work(void *argument) {
    int thread = (int)(intptr_t)argument;
    float *buffer = NULL;
    if (posix_memalign((void **)&buffer, 64, bytes)) exit(3);
    for (size_t i = 0; i < bytes / sizeof(float); i++) buffer[i] = 1.0f + (float)(i & 7);
    read_rate[thread] = measure(read_slice, (char *)buffer, (double)slice);
    multiply_rate[thread] = measure(multiply_tiles, (char *)buffer, 2.0 * ROWS * 2 * WIDTH * DEPTH * TILES);
    free(buffer);
    return NULL;
}

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    threads = atoi(argv[1]);
    bytes = strtoull(argv[2], NULL, 10) / 65536 * 65536;
    slice = bytes < SLICE_BYTES ? bytes : SLICE_BYTES;
    seconds = atof(argv[3]);
    if (threads < 1 || threads > MAX_THREADS || bytes < 65536) return 2;
    pthread_t others[MAX_THREADS];
    for (int i = 1; i < threads; i++)
        if (pthread_create(&others[i], NULL, work, (void *)(intptr_t)i)) return 3;
    work(NULL);
    double reading = read_rate[0], multiplying = multiply_rate[0];
    for (int i = 1; i < threads; i++) {
        pthread_join(others[i], NULL);
        reading += read_rate[i];
        multiplying += multiply_rate[i];
    }
    printf("read_gb_s=%.3f matmul_gflops=%.3f\n", reading / 1e9, multiplying / 1e9);
    return 0;
}
