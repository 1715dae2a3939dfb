// SPDX-License-Identifier: GPL-2.0-only
/*
 * A plugin of QEMU's emulator that counts the instructions which the emulated
 * machine executes, all processors together, where a program in it asks for it.
 * The program asks by instructions that do nothing else (see MARK_*):
 *
 *   HINT #0x78	start to count
 *   HINT #0x79	stop
 *   HINT #0x7a	write a line with the counts so far, and begin at zero
 *
 * A line is "KERNEL USER INTERVALS": instructions at addresses of the kernel and
 * of user space, and the number of times that counting was started.
 *
 *   -plugin insncount.so,out=FILE
 */
#include <stdio.h>
#include <string.h>

#include <qemu-plugin.h>

#define HINT(n)		(0xd503201fu | (n) << 5)
#define MARK_START	HINT(0x78)
#define MARK_STOP	HINT(0x79)
#define MARK_REPORT	HINT(0x7a)
/* Addresses of the kernel have this bit */
#define KERNEL_BIT	(1ULL << 63)

#define add_when_executed	qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu
#define call_when_executed	qemu_plugin_register_vcpu_insn_exec_cb

enum space { KERNEL, USER, NR_SPACES };

struct count {
	uint64_t n[NR_SPACES];
};

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

static qemu_plugin_u64 executed[NR_SPACES];
static struct count at_start, total;
static uint64_t intervals;
static bool counting;
static FILE *out;

static void start(unsigned int vcpu, void *data)
{
	int i;

	for (i = 0; i < NR_SPACES; i++)
		at_start.n[i] = qemu_plugin_u64_sum(executed[i]);
	counting = true;
	intervals++;
}

static void stop(unsigned int vcpu, void *data)
{
	int i;

	for (i = 0; counting && i < NR_SPACES; i++)
		total.n[i] += qemu_plugin_u64_sum(executed[i]) - at_start.n[i];
	counting = false;
}

static void report(unsigned int vcpu, void *data)
{
	fprintf(out, "%llu %llu %llu\n",
		(unsigned long long)total.n[KERNEL],
		(unsigned long long)total.n[USER],
		(unsigned long long)intervals);
	fflush(out);
	memset(&total, 0, sizeof(total));
	intervals = 0;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb), i;
	bool kernel = qemu_plugin_tb_vaddr(tb) & KERNEL_BIT;

	add_when_executed(tb, QEMU_PLUGIN_INLINE_ADD_U64,
			  executed[kernel ? KERNEL : USER], n);
	for (i = 0; !kernel && i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		qemu_plugin_vcpu_udata_cb_t mark = NULL;
		uint32_t word;

		if (qemu_plugin_insn_data(insn, &word, sizeof(word)) !=
		    sizeof(word))
			continue;
		if (word == MARK_START)
			mark = start;
		else if (word == MARK_STOP)
			mark = stop;
		else if (word == MARK_REPORT)
			mark = report;
		if (mark)
			call_when_executed(insn, mark, QEMU_PLUGIN_CB_NO_REGS,
					   NULL);
	}
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id,
					   const qemu_info_t *info, int argc,
					   char **argv)
{
	struct qemu_plugin_scoreboard *board;
	int i;

	if (argc != 1 || strncmp(argv[0], "out=", 4)) {
		fprintf(stderr, "insncount: the argument is out=FILE\n");
		return -1;
	}
	out = fopen(argv[0] + 4, "w");
	if (!out) {
		perror(argv[0] + 4);
		return -1;
	}
	board = qemu_plugin_scoreboard_new(sizeof(struct count));
	for (i = 0; i < NR_SPACES; i++)
		executed[i] = (qemu_plugin_u64){
			.score = board, .offset = i * sizeof(uint64_t),
		};
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
