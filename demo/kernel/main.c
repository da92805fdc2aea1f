/* SPDX-License-Identifier: MIT */
/*
 * Start-up: what happens from the first C function to the first process. head.S calls kernel_main()
 * on the boot hart and hart_main() on the others.
 *
 * The command line (-append) is a list of words: test=NAME runs a test of selftest.c and powers
 * off; init=/PATH is the first program instead of /bin/init; any other NAME=VALUE goes into its
 * environment, other words become its arguments, as with Linux.
 */
#include "kernel.h"

void kernel_main(uint64_t hartid, uint64_t fdt);
void hart_main(void);

static unsigned harts_online = 1;

/* The next word of the command line, cut out in place; NULL at the end. */
static char *next_word(char **line)
{
    char *word;

    while (**line == ' ')
        (*line)++;
    word = *line;
    while (**line && **line != ' ')
        (*line)++;
    if (**line)
        *(*line)++ = 0;
    return *word ? word : NULL;
}

static bool has_value(const char *word)
{
    while (*word && *word != '=')
        word++;
    return *word == '=';
}

/* Adds the words with a value (the environment), or those without, and counts them. */
static int add_words(struct exec_args *args, char *words[], int n, bool with_value)
{
    int count = 0;

    for (int i = 0; i < n; i++) {
        if (has_value(words[i]) != with_value)
            continue;
        exec_args_add(args, words[i]); /* fits: the command line is shorter */
        count++;
    }
    return count;
}

static void start_init(const char *path, char *words[], int n)
{
    struct exec_args args;

    if (exec_args_init(&args) || exec_args_add(&args, path))
        panic("no memory for the arguments");
    args.argc = 1 + add_words(&args, words, n, false);
    exec_args_add(&args, "HOME=/");
    args.envc = 1 + add_words(&args, words, n, true);
    proc_start_init(path, &args);
}

/* The first thread: everything that needs threads to work. */
static void main_thread(void *arg)
{
    static char line[PATH_SIZE];
    char *words[32], *word, *at = line;
    const char *path = "/bin/init", *test = NULL;
    int n = 0, err;
    (void)arg;

    while (__atomic_load_n(&harts_online, __ATOMIC_ACQUIRE) < cpu_count)
        schedule();
    strcopy(line, machine.bootargs, sizeof(line));
    printk("%u harts, %lu KiB free, command line: %s\n", cpu_count, pages_available() * 4, line);
    err = os_port_init();
    if (err)
        panic("ebpf_init: error %d", -err);
    while ((word = next_word(&at)) != NULL) {
        if (!strncmp(word, "test=", 5))
            test = word + 5;
        else if (!strncmp(word, "init=", 5))
            path = word + 5;
        else if (n < (int)ARRAY_SIZE(words))
            words[n++] = word;
    }
    if (test) {
        err = selftest_run(test);
        stack_report();
        printk("SELFTEST %s %s\n", test, err ? "FAILED" : "ok");
        sbi_shutdown(err != 0);
    }
    start_init(path, words, n);
}

static void start_harts(uint64_t boot_hartid)
{
    cpus[0].hartid = boot_hartid;
    sched_init(&cpus[0]);
    for (unsigned i = 0; i < machine.harts; i++) {
        struct cpu *cpu = &cpus[cpu_count];
        if (machine.hartids[i] == boot_hartid)
            continue;
        cpu->id = cpu_count;
        cpu->hartid = machine.hartids[i];
        sched_init(cpu);
        long err =
            sbi_hart_start(cpu->hartid, phys((const void *)_start_secondary), (uint64_t)cpu->idle);
        if (err)
            printk("hart %lu does not start: SBI error %ld\n", cpu->hartid, err);
        else
            cpu_count++;
    }
}

void hart_main(void)
{
    struct thread *idle = current;

    idle->state = THREAD_RUNNING;
    trap_init();
    __atomic_fetch_add(&harts_online, 1, __ATOMIC_RELEASE);
    idle->fn(NULL);
}

void kernel_main(uint64_t hartid, uint64_t fdt)
{
    trap_init(); /* early, so that a fault says so; interrupts stay off for now */
    console_init();
    printk("barebpf teaching kernel\n");
    fdt_read(fdt);
    page_init();
    vm_init();
    calendar_init();
    initramfs_init();
    start_harts(hartid);
    plic_init(hartid);
    if (!thread_create("main", main_thread, NULL))
        panic("no memory for the first thread");
    sched_run();
}
