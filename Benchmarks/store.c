/* An S3 store on this machine that answers so late as a distant one: GET, HEAD, PUT, DELETE, ListObjectsV2, DeleteObjects of one
   bucket, in memory, in path style, with ranges and conditional writes. Signatures are not looked at; there are no multipart uploads.

       store PORT MILLIS

   One thread: requests take effect in the order in which they come, so that of many who create a key exactly one does. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

typedef struct Object {
    char *key, *bytes;
    char tag[24], mark[64];
    size_t count;
    time_t written;
    struct Object *next;
} Object;

#define BUCKETS (1 << 18)
static Object *table[BUCKETS];
static uint64_t writes;

typedef struct {
    char *bytes;
    size_t count, room;
} Text;

typedef struct {
    int socket;
    uint64_t generation;
    Text in, out;
    size_t sent;
} Connection;

typedef struct {
    uint64_t due, generation;
    int socket;
    Text answer;
} Late;

static Connection connections[65536];
static Late *late;
static size_t lateHead, lateCount, lateRoom;
static int poll;

static void *room(void *old, size_t count) {
    void *made = realloc(old, count ? count : 1);
    if (!made) exit((perror("store"), 1));
    return made;
}

static void add(Text *text, const char *bytes, size_t count) {
    if (text->count + count > text->room) text->bytes = room(text->bytes, text->room = 2 * (text->count + count) + 256);
    memcpy(text->bytes + text->count, bytes, count);
    text->count += count;
}

static void put(Text *text, const char *format, ...) {
    char line[8192];
    va_list arguments;
    va_start(arguments, format);
    int count = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    add(text, line, count < 0 ? 0 : count < (int)sizeof line ? (size_t)count : sizeof line - 1);
}

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

static Object **find(const char *key) {
    uint64_t hash = 1469598103934665603u;
    for (const char *at = key; *at; at++) hash = (hash ^ (unsigned char)*at) * 1099511628211u;
    Object **at = &table[(hash >> 20) % BUCKETS];
    while (*at && strcmp((*at)->key, key)) at = &(*at)->next;
    return at;
}

static void forget(const char *key) {
    Object **at = find(key), *gone = *at;
    if (!gone) return;
    *at = gone->next;
    free(gone->key), free(gone->bytes), free(gone);
}

static int hex(char digit) { return digit <= '9' ? digit - '0' : (digit | 32) - 'a' + 10; }

static void decode(char *text) {
    char *to = text;
    for (; *text; text++) {
        if (*text == '%' && text[1] && text[2]) *to++ = (char)(hex(text[1]) << 4 | hex(text[2])), text += 2;
        else *to++ = *text;
    }
    *to = 0;
}

/* The value of a header in a head that ends with a zero; without quotes if it has some. */
static int header(const char *head, const char *name, char *value, size_t size) {
    char wanted[128];
    snprintf(wanted, sizeof wanted, "\r\n%s:", name);
    const char *at = strcasestr(head, wanted);
    if (!at) return 0;
    at += strlen(wanted);
    while (*at == ' ' || *at == '"') at++;
    size_t count = strcspn(at, "\r\"");
    if (count >= size) count = size - 1;
    memcpy(value, at, count), value[count] = 0;
    return 1;
}

static int parameter(const char *query, const char *name, char *value, size_t size) {
    size_t length = strlen(name);
    for (const char *at = query; at && *at; at = strchr(at, '&') ? strchr(at, '&') + 1 : NULL) {
        if (strncmp(at, name, length) || at[length] != '=') continue;
        size_t count = strcspn(at + length + 1, "&");
        if (count >= size) count = size - 1;
        memcpy(value, at + length + 1, count), value[count] = 0;
        decode(value);
        return 1;
    }
    return 0;
}

static void stamp(time_t time, const char *format, char *text, size_t size) {
    struct tm parts;
    gmtime_r(&time, &parts);
    strftime(text, size, format, &parts);
}

static void head(Text *out, int status, size_t count, const Object *object, const char *more) {
    char date[64];
    stamp(time(NULL), "%a, %d %b %Y %H:%M:%S GMT", date, sizeof date);
    put(out, "HTTP/1.1 %d X\r\nDate: %s\r\nContent-Length: %zu\r\n%s", status, date, count, more);
    if (object) {
        stamp(object->written, "%a, %d %b %Y %H:%M:%S GMT", date, sizeof date);
        put(out, "ETag: \"%s\"\r\nLast-Modified: %s\r\n", object->tag, date);
        if (object->mark[0]) put(out, "x-amz-meta-varve-write: %s\r\n", object->mark);
    }
    put(out, "\r\n");
}

static void refuse(Text *out, int status, const char *code, int isHead) {
    char body[256];
    int count = snprintf(body, sizeof body, "<?xml version=\"1.0\"?><Error><Code>%s</Code><Message>%s</Message></Error>", code, code);
    head(out, status, (size_t)count, NULL, "Content-Type: application/xml\r\n");
    if (!isHead) add(out, body, (size_t)count);
}

static int byKey(const void *one, const void *other) { return strcmp((*(Object *const *)one)->key, (*(Object *const *)other)->key); }

static void escape(Text *out, const char *text) {
    for (; *text; text++) {
        if (strchr("-_.~/", *text) || (*text >= '0' && *text <= '9') || ((*text | 32) >= 'a' && (*text | 32) <= 'z')) add(out, text, 1);
        else put(out, "%%%02X", (unsigned char)*text);
    }
}

static void list(Text *out, const char *query) {
    char prefix[2048] = "", after[2048] = "", token[2048] = "", number[32] = "1000", delimiter[8] = "";
    parameter(query, "prefix", prefix, sizeof prefix), parameter(query, "start-after", after, sizeof after);
    parameter(query, "continuation-token", token, sizeof token), parameter(query, "max-keys", number, sizeof number);
    parameter(query, "delimiter", delimiter, sizeof delimiter);
    const char *from = token[0] ? token : after;
    size_t count = 0, size = 0, length = strlen(prefix);
    Object **all = NULL;
    for (size_t place = 0; place < BUCKETS; place++)
        for (Object *one = table[place]; one; one = one->next)
            if (!strncmp(one->key, prefix, length) && strcmp(one->key, from) > 0) {
                if (count == size) all = room(all, (size = 2 * size + 64) * sizeof *all);
                all[count++] = one;
            }
    if (count) qsort(all, count, sizeof *all, byKey);
    Text body = {0};
    char folder[2048] = "", last[2048] = "";
    int given = 0, isCut = 0;
    put(&body, "<?xml version=\"1.0\"?><ListBucketResult><EncodingType>url</EncodingType>");
    for (size_t place = 0; place < count; place++) {
        Object *one = all[place];
        const char *slash = delimiter[0] ? strchr(one->key + length, '/') : NULL;
        size_t folderLength = slash ? (size_t)(slash + 1 - one->key) : 0;
        if (slash && folder[0] && !strncmp(folder, one->key, strlen(folder))) {
            snprintf(last, sizeof last, "%s", one->key);
            continue;
        }
        if (given == atoi(number)) { isCut = 1; break; }
        given++;
        snprintf(last, sizeof last, "%s", one->key);
        if (slash && folderLength < sizeof folder) {
            memcpy(folder, one->key, folderLength), folder[folderLength] = 0;
            put(&body, "<CommonPrefixes><Prefix>"), escape(&body, folder), put(&body, "</Prefix></CommonPrefixes>");
            continue;
        }
        char date[64];
        stamp(one->written, "%Y-%m-%dT%H:%M:%S.000Z", date, sizeof date);
        put(&body, "<Contents><Key>"), escape(&body, one->key);
        put(&body, "</Key><Size>%zu</Size><LastModified>%s</LastModified><ETag>\"%s\"</ETag></Contents>", one->count, date, one->tag);
    }
    put(&body, "<IsTruncated>%s</IsTruncated>", isCut ? "true" : "false");
    if (isCut) put(&body, "<NextContinuationToken>"), escape(&body, last), put(&body, "</NextContinuationToken>");
    put(&body, "</ListBucketResult>");
    head(out, 200, body.count, NULL, "Content-Type: application/xml\r\n");
    add(out, body.bytes, body.count);
    free(body.bytes), free(all);
}

static void deleteMany(Text *out, char *body) {
    for (char *at = body; (at = strstr(at, "<Key>"));) {
        char *end = strstr(at += 5, "</Key>");
        if (!end) break;
        *end = 0;
        forget(at);
        at = end + 1;
    }
    const char *done = "<DeleteResult></DeleteResult>";
    head(out, 200, strlen(done), NULL, "Content-Type: application/xml\r\n");
    add(out, done, strlen(done));
}

/* text: the head of a request, ended by a zero in the place of its last line break. */
static void answer(Text *out, char *text, char *body, size_t count) {
    char *method = text, *target = strchr(text, ' ');
    char *end = target ? strchr(target + 1, ' ') : NULL;
    if (!end) return refuse(out, 400, "InvalidRequest", 0);
    *target++ = 0, *end = 0;
    char *headers = end + 1, *query = strchr(target, '?'), value[256];
    if (query) *query++ = 0;
    int isHead = !strcmp(method, "HEAD"), isGet = !strcmp(method, "GET");
    char *key = strchr(target + 1, '/');
    key = key ? key + 1 : target + strlen(target);
    decode(key);
    if (!*key) {
        if (isGet && query && strstr(query, "list-type=2")) return list(out, query);
        if (!strcmp(method, "POST") && query && !strncmp(query, "delete", 6)) return deleteMany(out, body);
        if (isHead) return head(out, 200, 0, NULL, "");
        return refuse(out, 501, "NotImplemented", 0);
    }
    Object **place = find(key), *one = *place;
    if (!strcmp(method, "PUT")) {
        if (header(headers, "if-none-match", value, sizeof value) && one) return refuse(out, 412, "PreconditionFailed", 0);
        if (header(headers, "if-match", value, sizeof value)) {
            if (!one) return refuse(out, 404, "NoSuchKey", 0);
            if (strcmp(value, one->tag)) return refuse(out, 412, "PreconditionFailed", 0);
        }
        if (query && *query) return refuse(out, 501, "NotImplemented", 0);
        if (!one) {
            one = *place = room(NULL, sizeof *one);
            memset(one, 0, sizeof *one);
            one->key = strdup(key);
        }
        one->bytes = room(one->bytes, count);
        memcpy(one->bytes, body, count);
        one->count = count, one->written = time(NULL);
        snprintf(one->tag, sizeof one->tag, "%016llx", (unsigned long long)++writes);
        one->mark[0] = 0;
        header(headers, "x-amz-meta-varve-write", one->mark, sizeof one->mark);
        return head(out, 200, 0, one, "");
    }
    if (!strcmp(method, "DELETE")) return forget(key), head(out, 204, 0, NULL, "");
    if (!isGet && !isHead) return refuse(out, 501, "NotImplemented", 0);
    if (!one) return refuse(out, 404, "NoSuchKey", isHead);
    char range[256];
    if (isGet && header(headers, "range", range, sizeof range) && !strncmp(range, "bytes=", 6)) {
        size_t first, last = one->count ? one->count - 1 : 0;
        char *dash = strchr(range + 6, '-');
        if (dash == range + 6) {
            size_t wanted = strtoull(dash + 1, NULL, 10);
            first = wanted < one->count ? one->count - wanted : 0;
        } else {
            first = strtoull(range + 6, NULL, 10);
            size_t asked = dash && dash[1] ? strtoull(dash + 1, NULL, 10) : last;
            if (asked < last) last = asked;
        }
        if (first >= one->count) return refuse(out, 416, "InvalidRange", 0);
        char more[128];
        snprintf(more, sizeof more, "Content-Range: bytes %zu-%zu/%zu\r\n", first, last, one->count);
        head(out, 206, last - first + 1, one, more);
        return add(out, one->bytes + first, last - first + 1);
    }
    head(out, 200, one->count, one, "");
    if (isGet) add(out, one->bytes, one->count);
}

static void watch(int socket, int writes) {
    struct epoll_event event = {.events = EPOLLIN | (writes ? EPOLLOUT : 0u), .data.fd = socket};
    epoll_ctl(poll, EPOLL_CTL_MOD, socket, &event);
}

static void drop(Connection *one) {
    close(one->socket);
    one->generation++;
    one->in.count = one->out.count = one->sent = 0;
}

static void flush(Connection *one) {
    while (one->sent < one->out.count) {
        ssize_t count = send(one->socket, one->out.bytes + one->sent, one->out.count - one->sent, MSG_NOSIGNAL);
        if (count < 0 && errno == EAGAIN) return watch(one->socket, 1);
        if (count <= 0) return drop(one);
        one->sent += (size_t)count;
    }
    one->sent = one->out.count = 0;
    watch(one->socket, 0);
}

/* Answers every whole request that has come. */
static void take(Connection *one, uint64_t millis) {
    size_t at = 0;
    while (at < one->in.count) {
        add(&one->in, "", 1), one->in.count--;
        char *text = one->in.bytes + at, *end = memmem(text, one->in.count - at, "\r\n\r\n", 4), value[64];
        if (!end) break;
        char kept = end[2];
        end[2] = 0;
        size_t body = header(text, "content-length", value, sizeof value) ? strtoull(value, NULL, 10) : 0;
        size_t whole = (size_t)(end + 4 - text) + body;
        if (one->in.count - at < whole) {
            end[2] = kept;
            break;
        }
        char behind = text[whole];
        text[whole] = 0;
        Late made = {.due = now() + millis, .generation = one->generation, .socket = one->socket};
        answer(&made.answer, text, end + 4, body);
        text[whole] = behind;
        if (lateCount == lateRoom) late = room(late, (lateRoom = 2 * lateRoom + 1024) * sizeof *late);
        late[lateCount++] = made;
        at += whole;
    }
    memmove(one->in.bytes, one->in.bytes + at, one->in.count - at);
    one->in.count -= at;
}

int main(int count, char **arguments) {
    if (count != 3) return fprintf(stderr, "store PORT MILLIS\n"), 2;
    uint64_t millis = strtoull(arguments[2], NULL, 10);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(arguments[1]))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), yes = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1024)) return perror("store"), 1;
    poll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
    static char buffer[1 << 20];
    while (1) {
        uint64_t time = now();
        int wait = 1000;
        while (lateHead < lateCount) {
            Late *first = late + lateHead;
            if (first->due > time) {
                wait = (int)(first->due - time);
                break;
            }
            Connection *one = connections + first->socket;
            if (one->generation == first->generation) add(&one->out, first->answer.bytes, first->answer.count), flush(one);
            free(first->answer.bytes);
            lateHead++;
        }
        if (lateHead == lateCount) lateHead = lateCount = 0;
        else if (lateHead > 65536) {
            memmove(late, late + lateHead, (lateCount - lateHead) * sizeof *late);
            lateCount -= lateHead, lateHead = 0;
        }
        struct epoll_event events[256];
        int ready = epoll_wait(poll, events, 256, wait);
        for (int place = 0; place < ready; place++) {
            int socket = events[place].data.fd;
            if (socket == listener) {
                int made;
                while ((made = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                    if (made >= 65536) { close(made); continue; }
                    setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
                    connections[made].socket = made;
                    struct epoll_event one = {.events = EPOLLIN, .data.fd = made};
                    epoll_ctl(poll, EPOLL_CTL_ADD, made, &one);
                }
                continue;
            }
            Connection *one = connections + socket;
            if (events[place].events & EPOLLOUT) flush(one);
            if (events[place].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
                ssize_t got = read(socket, buffer, sizeof buffer);
                if (got == 0 || (got < 0 && errno != EAGAIN)) { drop(one); continue; }
                if (got > 0) add(&one->in, buffer, (size_t)got), take(one, millis);
            }
        }
    }
}
