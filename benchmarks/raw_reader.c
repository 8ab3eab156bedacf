/* The least a client can do: epoll, one stamp a read, nothing decoded while anything can be read.
 *
 *     cc -O2 -o raw_reader raw_reader.c
 *     raw_reader PORT CONCURRENCY TOTAL RAMP_S < request body
 *
 * It opens CONCURRENCY connections to 127.0.0.1, begins on each with a request (all at once, or spread evenly over
 * RAMP_S seconds) and sends the next one on a connection when its answer has ended, TOTAL in all. The body goes to
 * OpenAI's Chat Completions and must ask for a stream. It prints a line for each answer that ended,
 *
 *     REQUEST_ID SENT_NS FIRST_NS LAST_NS        stamps of CLOCK_MONOTONIC: before the write; the read with the
 *                                                first content; the last read
 * and in the end a line "failed N".
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define KEPT 4096 /* of each answer, to find the id and the first content in */
#define TAIL 5

typedef struct {
    int fd, kept, tail_size;
    int64_t sent, first;
    char tail[TAIL];
    char text[KEPT + 1];
} Stream;

typedef struct {
    char id[80];
    int64_t sent, first, last;
} Row;

static char request[1 << 20], incoming[1 << 18];
static int request_size;
static long total, begun, ended, failed;
static Row *rows;

static int64_t now_ns(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (int64_t)at.tv_sec * 1000000000 + at.tv_nsec;
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void begin(Stream *one) {
    one->kept = one->tail_size = 0;
    one->first = 0;
    one->text[0] = 0;
    begun++;
    one->sent = now_ns();
    if (write(one->fd, request, request_size) != request_size) fail("write");
}

/* The first content: a delta whose content is not empty. */
static int has_content(const char *text) {
    const char *mark = "\"content\":\"";
    for (const char *at = strstr(text, mark); at; at = strstr(at + 1, mark))
        if (at[strlen(mark)] && at[strlen(mark)] != '"') return 1;
    return 0;
}

static void finish(Stream *one, int64_t at) {
    Row *row = &rows[ended++];
    const char *id = strstr(one->text, "x-request-id: ");
    row->id[0] = '-', row->id[1] = 0;
    if (id) sscanf(id, "x-request-id: %79[^\r]", row->id);
    row->sent = one->sent, row->first = one->first, row->last = at;
    if (!one->first) failed++;
}

static void keep_tail(Stream *one, const char *data, int size) {
    int take = size < TAIL ? size : TAIL, stay = one->tail_size < TAIL - take ? one->tail_size : TAIL - take;
    memmove(one->tail, one->tail + one->tail_size - stay, stay);
    memcpy(one->tail + stay, data + size - take, take);
    one->tail_size = stay + take;
}

static void take(Stream *one) {
    ssize_t size = read(one->fd, incoming, sizeof incoming);
    int64_t at = now_ns();
    if (size < 0 && errno == EAGAIN) return;
    if (size <= 0) {
        close(one->fd);
        ended++, failed++;
        return;
    }
    if (!one->first) {
        int room = KEPT - one->kept, more = size < room ? (int)size : room;
        memcpy(one->text + one->kept, incoming, more);
        one->kept += more;
        one->text[one->kept] = 0;
        if (has_content(one->text)) one->first = at;
    }
    keep_tail(one, incoming, (int)size);
    if (one->tail_size == TAIL && !memcmp(one->tail, "0\r\n\r\n", TAIL)) {
        finish(one, at);
        if (begun < total) begin(one);
    }
}

static int connected(int port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to)) fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static void prepare(int port) {
    static char body[1 << 19];
    size_t size = fread(body, 1, sizeof body, stdin);
    request_size = snprintf(request, sizeof request,
        "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:%d\r\ncontent-type: application/json\r\n"
        "content-length: %zu\r\n\r\n", port, size);
    memcpy(request + request_size, body, size);
    request_size += (int)size;
}

int main(int argc, char **argv) {
    if (argc != 5) return fprintf(stderr, "usage: raw_reader PORT CONCURRENCY TOTAL RAMP_S < body\n"), 2;
    int port = atoi(argv[1]), concurrency = atoi(argv[2]), opened = 0;
    total = atol(argv[3]);
    int64_t ramp_ns = (int64_t)(atof(argv[4]) * 1e9);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    prepare(port);
    Stream *streams = calloc(concurrency, sizeof *streams);
    rows = calloc(total + concurrency, sizeof *rows);
    int ready = epoll_create1(0);
    for (int i = 0; i < concurrency; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &streams[i]};
        streams[i].fd = connected(port);
        epoll_ctl(ready, EPOLL_CTL_ADD, streams[i].fd, &event);
    }
    int64_t start = now_ns();
    struct epoll_event events[256];
    while (ended < total) {
        int64_t passed = now_ns() - start;
        while (opened < concurrency && begun < total && passed >= ramp_ns * opened / concurrency) begin(&streams[opened++]);
        int wait_ms = opened < concurrency && begun < total ? 0 : 10000;
        int count = epoll_wait(ready, events, 256, wait_ms);
        if (count == 0 && wait_ms) break; /* ten seconds of silence: what is missing has failed */
        for (int i = 0; i < count; i++) take(events[i].data.ptr);
    }
    for (long i = 0; i < ended; i++)
        if (rows[i].first) printf("%s %lld %lld %lld\n", rows[i].id, (long long)rows[i].sent, (long long)rows[i].first, (long long)rows[i].last);
    printf("failed %ld\n", failed + total - ended);
    return 0;
}
