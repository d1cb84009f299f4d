/* Asks an HTTP server on this machine over many kept connections, each with one request under way, and says how many answers
   came and how long they took.

       load PORT CONNECTIONS SECONDS FILE [RATE]

   FILE has requests, each as "<bytes>\n" and that many bytes: connection i of c sends request i, then i + c, i + 2c, ..., around.
   With RATE they are sent at so many a second, all connections together, and an answer's time begins when its request was due, sent or not;
   without, each connection sends the next request as soon as it has an answer.

   Prints one line of JSON. Latencies are counted in steps of 10 microseconds up to 20 s. The first second is not counted. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define STEPS 2000000
#define HEAD 16384

typedef struct {
    int socket, status, isChunked, isLast, isWaiting;
    size_t headCount, next;
    long bodyLeft; /* -1 while the head is not complete */
    uint64_t began, due;
    char head[HEAD], tail[7];
} Connection;

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void fail(const char *what) {
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint32_t latencies[STEPS];
static uint64_t statuses[600];

static struct sockaddr_in address = {.sin_family = AF_INET};
static int poll;

/* Some routes end the connection with the answer: the next request then has one of its own, whose making counts. */
static void open_connection(Connection *one, uint32_t i) {
    int yes = 1;
    one->socket = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(one->socket, (struct sockaddr *)&address, sizeof address)) fail("connect");
    setsockopt(one->socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
    epoll_ctl(poll, EPOLL_CTL_ADD, one->socket, &event);
}

/* 1 when the answer is complete. */
static int take(Connection *one, char *bytes, size_t count) {
    if (one->bodyLeft < 0) {
        /* The head may come with more of the body than is kept to look at it. */
        size_t before = one->headCount, kept = before + count >= HEAD ? HEAD - 1 - before : count;
        memcpy(one->head + before, bytes, kept);
        one->headCount += kept;
        one->head[one->headCount] = 0;
        char *end = strstr(one->head, "\r\n\r\n");
        if (!end) return 0;
        one->status = atoi(one->head + 9);
        char *length = strcasestr(one->head, "\r\ncontent-length:");
        char *chunked = strcasestr(one->head, "\r\ntransfer-encoding: chunked");
        one->isChunked = chunked && chunked < end;
        char *close = strcasestr(one->head, "\r\nconnection: close");
        one->isLast = close && close < end;
        one->bodyLeft = length && length < end ? atol(length + 17) : 0;
        size_t ofHead = (size_t)(end + 4 - one->head) - before;
        bytes += ofHead, count -= ofHead;
        memset(one->tail, 0, 7);
    }
    if (one->isChunked) {
        for (size_t i = count > 7 ? count - 7 : 0; i < count; i++) {
            memmove(one->tail, one->tail + 1, 6);
            one->tail[6] = bytes[i];
        }
        return memcmp(one->tail, "\r\n0\r\n\r\n", 7) == 0;
    }
    one->bodyLeft -= (long)count;
    return one->bodyLeft <= 0;
}

static char **requests;
static size_t *sizes;

static void send_request(Connection *one, uint64_t began) {
    one->isWaiting = 0, one->began = began;
    if (write(one->socket, requests[one->next], sizes[one->next]) != (ssize_t)sizes[one->next]) fail("write");
}

/* Sends what is due; how many nanoseconds until more is. */
static uint64_t send_due(Connection *all, int connectionCount) {
    uint64_t time = now(), rest = 100000000u;
    for (int i = 0; i < connectionCount; i++) {
        if (!all[i].isWaiting) continue;
        if (all[i].due <= time) send_request(all + i, all[i].due);
        else if (all[i].due - time < rest) rest = all[i].due - time;
    }
    return rest;
}

int main(int count, char **arguments) {
    if (count != 5 && count != 6) return fprintf(stderr, "load PORT CONNECTIONS SECONDS FILE [RATE]\n"), 2;
    double rate = count == 6 ? atof(arguments[5]) : 0;
    int port = atoi(arguments[1]), connectionCount = atoi(arguments[2]);
    double seconds = atof(arguments[3]);
    FILE *file = fopen(arguments[4], "rb");
    if (!file) fail(arguments[4]);
    size_t requestCount = 0, size;
    while (fscanf(file, "%zu", &size) == 1) {
        fgetc(file);
        requests = realloc(requests, (requestCount + 1) * sizeof *requests);
        sizes = realloc(sizes, (requestCount + 1) * sizeof *sizes);
        requests[requestCount] = malloc(size);
        if (fread(requests[requestCount], 1, size, file) != size) fail("a request is cut off");
        sizes[requestCount++] = size;
    }
    if (!requestCount) return fprintf(stderr, "load: no requests\n"), 2;
    Connection *all = calloc((size_t)connectionCount, sizeof *all);
    poll = epoll_create1(0);
    address.sin_port = htons((uint16_t)port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < connectionCount; i++) {
        open_connection(all + i, (uint32_t)i);
        all[i].bodyLeft = -1;
    }
    uint64_t start = now(), counted = 0, slowest = 0;
    uint64_t warm = start + 1000000000u, end = warm + (uint64_t)(seconds * 1e9);
    static char buffer[1 << 18];
    uint64_t interval = rate > 0 ? (uint64_t)(1e9 * connectionCount / rate) : 0;
    for (int i = 0; i < connectionCount; i++) {
        Connection *one = all + i;
        one->next = (size_t)i % requestCount;
        one->due = start + interval / (uint64_t)connectionCount * (uint64_t)i;
        if (interval) one->isWaiting = 1;
        else send_request(one, now());
    }
    uint64_t time = start;
    while (time < end) {
        struct epoll_event events[256];
        uint64_t rest = interval ? send_due(all, connectionCount) : 100000000u;
        struct timespec wait = {.tv_nsec = (long)rest};
        int ready = epoll_pwait2(poll, events, 256, &wait, NULL);
        for (int event = 0; event < ready; event++) {
            int i = (int)events[event].data.u32;
            Connection *one = all + i;
            ssize_t got = read(one->socket, buffer, sizeof buffer);
            if (got <= 0) fail("the server closed a connection");
            if (!take(one, buffer, (size_t)got)) continue;
            time = now();
            if (time >= warm && time < end) {
                uint64_t taken = time - one->began, step = taken / 10000;
                latencies[step < STEPS ? step : STEPS - 1]++;
                statuses[one->status >= 0 && one->status < 600 ? one->status : 0]++;
                if (taken > slowest) slowest = taken;
                counted++;
            }
            one->headCount = 0, one->bodyLeft = -1;
            if (one->isLast) close(one->socket), open_connection(one, (uint32_t)i);
            one->next = (one->next + (size_t)connectionCount) % requestCount;
            one->due += interval;
            if (interval) one->isWaiting = 1;
            else send_request(one, time);
        }
        time = now();
    }
    printf("{\"answers\": %llu, \"seconds\": %.3f", (unsigned long long)counted, seconds);
    const double parts[] = {0.5, 0.9, 0.99, 0.999};
    const char *names[] = {"p50_ms", "p90_ms", "p99_ms", "p999_ms"};
    for (int part = 0; part < 4; part++) {
        uint64_t sum = 0;
        size_t step = 0;
        while (step < STEPS && (sum += latencies[step]) < (uint64_t)((double)counted * parts[part])) step++;
        printf(", \"%s\": %.2f", names[part], (double)(step + 1) / 100);
    }
    printf(", \"max_ms\": %.2f, \"statuses\": {", (double)slowest / 1e6);
    int isFirst = 1;
    for (int status = 0; status < 600; status++)
        if (statuses[status]) printf("%s\"%d\": %llu", isFirst ? "" : ", ", status, (unsigned long long)statuses[status]), isFirst = 0;
    printf("}}\n");
    return 0;
}
