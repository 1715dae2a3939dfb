// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shows, step by step, what a device can reach, and what the SMMU was told and
 * said meanwhile.
 */
#include <getopt.h>

#include "suite.h"

#define DOM	1
#define LEN	16
#define SRC	IOVA
#define DST	(IOVA + PAGE)
#define SRC_GPA	RAM_GPA
#define DST_GPA	(RAM_GPA + PAGE)

#define MAX_LINES	12

static const char secret[LEN + 1] = "guest data, 16 B";

struct demo {
	struct env e;
	struct dma_dev *d;
	FILE *json;
	unsigned int step;
	bool ok;
};

enum expect { LANDS, DENIED, REPLY };

/*
 * What a line of the trace says, in a form for people; NULL for what isn't a
 * command, a detail of one or an event
 */
static const char *meaning(const char *line, bool *detail)
{
	static const struct {
		const char *word;
		bool detail;
	} words[] = {
		{ "smmuv3_cmdq_opcode <--- SMMU_CMD_", false },
		{ "smmuv3_record_event SMMU_EVT_", false },
		{ "smmuv3_translate_abort ", false },
		{ "smmuv3_cmdq_cfgi_ste_range ", true },
		{ "smmuv3_cmdq_cfgi_ste ", true },
		{ "smmuv3_cmdq_cfgi_cd ", true },
		{ "smmuv3_cmdq_tlbi_nh_asid ", true },
		{ "smmuv3_range_inval ", true },
	};
	unsigned int i;
	const char *p;

	for (i = 0; i < ARRAY_SIZE(words); i++) {
		p = strstr(line, words[i].word);
		if (!p)
			continue;
		*detail = words[i].detail;
		return p + strlen(words[i].word);
	}
	return NULL;
}

static void json_string(FILE *f, const char *s)
{
	fputc('"', f);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			fputc('\\', f);
		if ((unsigned char)*s >= 0x20)
			fputc(*s, f);
	}
	fputc('"', f);
}

struct note {
	char text[160];
	unsigned int times;
};

/* Commands with their details in one note, equal notes in a row as one */
static unsigned int take_notes(char *text, struct note *notes, unsigned int max)
{
	char *line, *save = NULL;
	unsigned int n = 0, len;
	bool detail, event;
	const char *what;

	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		what = meaning(line, &detail);
		if (!what || (detail && !n))
			continue;
		if (detail) {
			len = strlen(notes[n - 1].text);
			snprintf(notes[n - 1].text + len,
				 sizeof(notes[0].text) - len, " %s", what);
			continue;
		}
		if (n > 1 && !strcmp(notes[n - 1].text, notes[n - 2].text)) {
			n--;
			notes[n - 1].times++;
		}
		if (n == max)
			n--;
		event = strstr(line, "record_event") || strstr(line, "abort");
		snprintf(notes[n].text, sizeof(notes[0].text), "%s %s",
			 event ? "event" : "command", what);
		notes[n++].times = 1;
	}
	if (n > 1 && !strcmp(notes[n - 1].text, notes[n - 2].text)) {
		n--;
		notes[n - 1].times++;
	}
	return n;
}

static void show_trace(struct demo *m)
{
	static struct note notes[64];
	unsigned int i, n;
	char *text;

	if (m->json)
		fprintf(m->json, ", \"smmu\": [");
	sleep_ms(50);
	text = trace_since(&m->e.trace);
	n = text ? take_notes(text, notes, ARRAY_SIZE(notes)) : 0;
	free(text);
	for (i = 0; i < n && i < MAX_LINES; i++) {
		printf("     SMMU: %s", notes[i].text);
		if (notes[i].times > 1)
			printf(", %u times", notes[i].times);
		printf("\n");
		if (m->json) {
			fputs(i ? ", " : "", m->json);
			json_string(m->json, notes[i].text);
		}
	}
	if (n > MAX_LINES)
		printf("     SMMU: ... and %u more\n", n - MAX_LINES);
	if (m->e.trace.fd < 0)
		printf("     (no SMMU trace here)\n");
	else if (!n)
		printf("     SMMU: no command, no event\n");
	if (m->json)
		fprintf(m->json, "]}");
}

static void begin(struct demo *m, const char *title)
{
	printf("\n%2u. %s\n", ++m->step, title);
	if (m->json) {
		fprintf(m->json, "%s\n  {\"step\": %u, \"title\": ",
			m->step > 1 ? "," : "", m->step);
		json_string(m->json, title);
	}
	trace_mark(&m->e.trace);
}

static void end(struct demo *m, bool ok, const char *what)
{
	printf("     -> %s%s\n", what, ok ? "" : "   <-- WRONG");
	m->ok &= ok;
	if (m->json) {
		fprintf(m->json, ", \"ok\": %s, \"result\": ",
			ok ? "true" : "false");
		json_string(m->json, what);
	}
	show_trace(m);
}

static void request(struct demo *m, const char *title, int status,
		    bool wants_tlbi)
{
	bool told = !wants_tlbi || m->e.trace.fd < 0 ||
		    trace_invalidated(&m->e.trace);
	bool ok = status == OK;
	char text[96];

	snprintf(text, sizeof(text), "%s: reply %s", title,
		 status_name(status));
	if (ok && !told) {
		ok = false;
		snprintf(text, sizeof(text),
			 "%s: replied OK, before the SMMU was told", title);
	}
	end(m, ok, text);
}

static void hex(char *out, const __u8 *p)
{
	unsigned int i;

	for (i = 0; i < LEN; i++)
		sprintf(out + 3 * i, "%02x ", p[i]);
	out[3 * LEN - 1] = 0;
}

/* The device copies from SRC to @dst: does it land? */
static void transfer(struct demo *m, __u64 src, __u64 dst, void *target,
		     enum expect expect)
{
	__u8 before[LEN];
	char bytes[3 * LEN + 1], text[200];
	bool moved, ok;
	int rc;

	memcpy(before, target, LEN);
	rc = dev_copy(m->d, src, dst, LEN);
	sleep_ms(5);
	moved = memcmp(before, target, LEN);
	hex(bytes, target);
	printf("     target now: %s\n", bytes);
	if (expect == LANDS) {
		ok = !rc && !memcmp(target, secret, LEN);
		snprintf(text, sizeof(text), ok ? "the bytes are there: \"%s\""
						: "\"%s\" did not arrive",
			 secret);
	} else {
		ok = !moved;
		snprintf(text, sizeof(text),
			 ok ? "denied, not a byte moved"
			    : "bytes moved that should not have");
		if (ok && m->e.trace.fd >= 0 &&
		    !trace_refused(&m->e.trace)) {
			ok = false;
			snprintf(text, sizeof(text),
				 "nothing moved, but the SMMU has no event");
		}
	}
	end(m, ok, text);
}

static void steps(struct demo *m)
{
	struct vmm *v = &m->e.v;
	char *src = ram_va(v, SRC_GPA), *dst = ram_va(v, DST_GPA);

	memcpy(src, secret, LEN);
	memset(dst, '.', LEN);

	begin(m, "In no domain: the device copies from 0x2000000 to 0x2001000");
	transfer(m, SRC, DST, dst, DENIED);

	begin(m, "ATTACH the endpoint to domain 1");
	request(m, "ATTACH", g_attach(v, DOM, EP(0)), false);

	begin(m, "Nothing is mapped: the device copies again");
	transfer(m, SRC, DST, dst, DENIED);

	begin(m, "MAP 0x2000000, one page of guest RAM, read-only");
	request(m, "MAP", g_map(v, DOM, SRC, SRC + PAGE - 1, SRC_GPA, MAP_R),
		false);

	begin(m, "MAP 0x2001000, the next page, read and write");
	request(m, "MAP", g_map(v, DOM, DST, DST + PAGE - 1, DST_GPA, MAP_RW),
		false);

	begin(m, "The device copies from 0x2000000 to 0x2001000");
	transfer(m, SRC, DST, dst, LANDS);

	memset(dst, 'X', LEN);
	begin(m, "The device copies the other way: the target is read-only");
	transfer(m, DST, SRC, src, DENIED);

	begin(m, "UNMAP 0x2001000: the SMMU is told before the reply");
	request(m, "UNMAP", g_unmap(v, DOM, DST, DST + PAGE - 1), true);

	memset(dst, '.', LEN);
	begin(m, "The device copies from 0x2000000 to 0x2001000 again");
	transfer(m, SRC, DST, dst, DENIED);

	begin(m, "MAP 0x2001000 again");
	request(m, "MAP", g_map(v, DOM, DST, DST + PAGE - 1, DST_GPA, MAP_RW),
		false);

	begin(m, "The device copies from 0x2000000 to 0x2001000");
	transfer(m, SRC, DST, dst, LANDS);

	begin(m, "DETACH the endpoint: the domain is gone with it");
	request(m, "DETACH", g_detach(v, DOM, EP(0)), false);

	memset(dst, '.', LEN);
	begin(m, "The device copies from 0x2000000 to 0x2001000");
	transfer(m, SRC, DST, dst, DENIED);
}

static const char demo_usage[] =
	"usage: vhost-iommu-test demo [--device edu|mock] [--json FILE]\n"
	"  Shows a device's DMA allowed and denied. VHOST_IOMMU_TRACE\n"
	"  names QEMU's trace of the emulated SMMU, which is shown as well.\n";

/**
 * demo_main() - The command "demo"
 * @argc: Number of arguments
 * @argv: Arguments
 */
int demo_main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "device", required_argument, NULL, 'd' },
		{ "json", required_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	enum dev_kind kind = DEV_EDU;
	struct demo m = { .ok = true };
	int opt, rc;

	while ((opt = getopt_long(argc, argv, "h", options, NULL)) != -1)
		switch (opt) {
		case 'd':
			kind = !strcmp(optarg, "mock") ? DEV_MOCK : DEV_EDU;
			break;
		case 'j':
			m.json = fopen(optarg, "w");
			if (!m.json) {
				perror(optarg);
				return 2;
			}
			break;
		default:
			fputs(demo_usage, opt == 'h' ? stdout : stderr);
			return opt == 'h' ? 0 : 2;
		}
	kmsg("demo");
	env_init(&m.e, kind);
	rc = env_up(&m.e, 1);
	if (rc) {
		fprintf(stderr, "demo: can't set up: %s\n",
			m.e.skip[0] ? m.e.skip : strerror(-rc));
		env_down(&m.e);
		return 1;
	}
	m.d = m.e.dev[0];
	printf("Device %s (%s) is endpoint 0x%x of /dev/vhost-iommu.\n",
	       m.d->name, kind == DEV_EDU ? "QEMU edu" : "mock", EP(0));
	printf("Guest RAM at 0x%llx holds \"%s\".\n", SRC_GPA, secret);
	if (m.json)
		fprintf(m.json, "{\"steps\": [");
	steps(&m);
	if (m.json) {
		fprintf(m.json, "\n], \"ok\": %s}\n", m.ok ? "true" : "false");
		fclose(m.json);
	}
	env_down(&m.e);
	printf("\ndemo: %s\n", m.ok ? "OK" : "FAILED");
	return !m.ok;
}
