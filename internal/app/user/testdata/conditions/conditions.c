/* Conditions right after the operations that set them, of operands at the edges. */
#include <stdio.h>

typedef unsigned long word;
static word sum;

#define SET(op, cc, load) \
	__asm__ volatile(load op "\n\tset" cc " %b1" : "+a"(x), "=&c"(c) : "d"(y), "b"(carry) : "cc", "memory"); \
	sum = sum * 31 + (c & 1);


#define PLAIN ""
#define CARRY "bt $0, %k3\n\t"
#define GROUP(suffix, a, d) \
	OPERATION(add##suffix, "add " d ", " a, PLAIN) OPERATION(sub##suffix, "sub " d ", " a, PLAIN) \
	OPERATION(cmp##suffix, "cmp " d ", " a, PLAIN) OPERATION(neg##suffix, "neg " a, PLAIN) \
	OPERATION(adc##suffix, "adc " d ", " a, CARRY) OPERATION(sbb##suffix, "sbb " d ", " a, CARRY) \
	OPERATION(inc##suffix, "inc " a, CARRY) OPERATION(and##suffix, "and " d ", " a, PLAIN) \
	OPERATION(addi##suffix, "add $0x7f, " a, PLAIN)
#ifdef __x86_64__
#define GROUPS GROUP(b, "%b0", "%b2") GROUP(w, "%w0", "%w2") GROUP(l, "%k0", "%k2") GROUP(q, "%q0", "%q2")
#else
#define GROUPS GROUP(b, "%b0", "%b2") GROUP(w, "%w0", "%w2") GROUP(l, "%k0", "%k2")
#endif

#define OPERATION(name, op, load) \
	static void name(word x0, word y, word carry) \
	{ \
		word x, c; \
		x = x0; SET(op, "o", load) x = x0; SET(op, "no", load) \
		x = x0; SET(op, "b", load) x = x0; SET(op, "e", load) \
		x = x0; SET(op, "be", load) x = x0; SET(op, "a", load) \
		x = x0; SET(op, "s", load) x = x0; SET(op, "p", load) \
		x = x0; SET(op, "l", load) x = x0; SET(op, "ge", load) \
		x = x0; SET(op, "le", load) x = x0; SET(op, "g", load) \
		sum = sum * 31 + x; \
	}
GROUPS
#undef OPERATION

int main(void)
{
	static const word edges[] = {0, 1, 2, 0x7e, 0x7f, 0x80, 0x81, 0xfe, 0xff, 0x100, 0x7fff, 0x8000, 0x8001, 0xffff,
		0x7fffffff, 0x80000000, 0x80000001, 0xffffffff, ~0ul, ~0ul >> 1, ~(~0ul >> 1)};
	const int n = sizeof edges / sizeof *edges;
#define OPERATION(name, op, load) \
	sum = 0; \
	for (int k = 0; k < 5; k++) \
		for (int i = 0; i < n; i++) \
			for (int j = 0; j < n; j++) \
				name(edges[i], edges[j], k & 1); \
	printf("%s %lx\n", #name, sum);
	GROUPS
	printf("done\n");
	return 0;
}
