/* mailbox: letters arrive once, in order, whoever sends them. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "util/mailbox.h"

struct note {
    struct letter letter;
    int sender, number;
};

static void letters_come_out_in_order(void **state)
{
    (void)state;
    struct mailbox *m = NULL;
    struct note notes[3] = {{.number = 0}, {.number = 1}, {.number = 2}};

    assert_int_equal(mailbox_new(&m, NULL, NULL), 0);
    assert_null(mailbox_take(m));
    for (int round = 0; round < 2; round++) { /* a mailbox that ran empty works again */
        for (int i = 0; i < 3; i++)
            mailbox_put(m, &notes[i].letter);
        for (int i = 0; i < 3; i++)
            assert_ptr_equal(round ? mailbox_take(m) : mailbox_wait(m), &notes[i].letter);
        assert_null(mailbox_take(m));
    }
    mailbox_free(m);
    mailbox_free(NULL);
}

static void closing_lets_the_rest_be_taken(void **state)
{
    (void)state;
    struct mailbox *m = NULL;
    struct note a = {.number = 1}, b = {.number = 2};

    assert_int_equal(mailbox_new(&m, NULL, NULL), 0);
    mailbox_put(m, &a.letter);
    mailbox_close(m);
    mailbox_put(m, &b.letter);
    assert_ptr_equal(mailbox_wait(m), &a.letter);
    assert_ptr_equal(mailbox_wait(m), &b.letter);
    assert_null(mailbox_wait(m));
    assert_null(mailbox_wait(m));
    mailbox_free(m);
}

static void count_wake(void *user)
{
    atomic_fetch_add((atomic_int *)user, 1);
}

static void every_put_wakes_once(void **state)
{
    (void)state;
    struct mailbox *m = NULL;
    struct note notes[4] = {0};
    atomic_int wakes = 0;

    assert_int_equal(mailbox_new(&m, count_wake, &wakes), 0);
    for (int i = 0; i < 4; i++)
        mailbox_put(m, &notes[i].letter);
    assert_int_equal(atomic_load(&wakes), 4);
    while (mailbox_take(m))
        continue;
    mailbox_free(m);
}

#define SENDERS 3
#define LETTERS 20000

struct sender {
    struct mailbox *m;
    int id;
};

static void *send_all(void *user)
{
    const struct sender *s = user;

    for (int i = 0; i < LETTERS; i++) {
        struct note *n = calloc(1, sizeof(*n));
        if (n == NULL)
            abort();
        n->sender = s->id;
        n->number = i;
        mailbox_put(s->m, &n->letter);
    }
    return NULL;
}

struct reader {
    struct mailbox *m;
    int next[SENDERS];
    int wrong;
};

static void *read_all(void *user)
{
    struct reader *r = user;
    struct letter *l;

    while ((l = mailbox_wait(r->m)) != NULL) {
        struct note *n = (struct note *)l;
        r->wrong += n->number != r->next[n->sender]++;
        free(n);
    }
    return NULL;
}

static void many_senders_lose_nothing(void **state)
{
    (void)state;
    pthread_t threads[SENDERS], reading;
    struct sender senders[SENDERS];
    struct reader reader = {0};

    assert_int_equal(mailbox_new(&reader.m, NULL, NULL), 0);
    assert_int_equal(pthread_create(&reading, NULL, read_all, &reader), 0);
    for (int i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){reader.m, i};
        assert_int_equal(pthread_create(&threads[i], NULL, send_all, &senders[i]), 0);
    }
    for (int i = 0; i < SENDERS; i++)
        pthread_join(threads[i], NULL);
    mailbox_close(reader.m);
    pthread_join(reading, NULL);
    assert_int_equal(reader.wrong, 0);
    for (int i = 0; i < SENDERS; i++)
        assert_int_equal(reader.next[i], LETTERS);
    mailbox_free(reader.m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_come_out_in_order),
        cmocka_unit_test(closing_lets_the_rest_be_taken),
        cmocka_unit_test(every_put_wakes_once),
        cmocka_unit_test(many_senders_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
