package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
)

// text is n bytes of made-up words in lines, common ones more often: what gzip,
// xz, awk and sha256sum get to work on. It is the same in every run.
func text(n int) []byte {
	rnd := rand.New(rand.NewPCG(1, 2))
	words := make([]string, 4000)
	for i := range words {
		w := make([]byte, 2+rnd.IntN(9))
		for j := range w {
			w[j] = "etaoinshrdlucmfwypvbgkjqxz"[min(rnd.IntN(26), rnd.IntN(26))]
		}
		words[i] = string(w)
	}
	var b bytes.Buffer
	for b.Len() < n {
		for range 4 + rnd.IntN(10) {
			i := rnd.IntN(len(words))
			b.WriteString(words[min(i, rnd.IntN(i+1))])
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%d\n", rnd.IntN(10000))
	}
	b.Truncate(n)
	b.Bytes()[n-1] = '\n'
	return b.Bytes()
}

// program is a C program of n functions that needs no headers: what the
// compiler compiles.
func program(n int) []byte {
	rnd := rand.New(rand.NewPCG(3, 4))
	var b bytes.Buffer
	b.WriteString("typedef unsigned u;\nstruct s { u a, b; short c; char d[12]; struct s *next; };\nstatic u table[256];\n")
	for f := range n {
		fmt.Fprintf(&b, "static u f%d(u x, u y, struct s *p)\n{\n\tu i, h = %d, v[8] = {x, y};\n", f, rnd.IntN(1000))
		for range 3 + rnd.IntN(5) {
			statement(&b, rnd, f)
		}
		b.WriteString("\treturn h ^ v[h & 7];\n}\n")
	}
	b.WriteString("u run(u x, struct s *p)\n{\n\tu h = 0;\n")
	for f := range n {
		fmt.Fprintf(&b, "\th += f%d(x, h, p);\n", f)
	}
	b.WriteString("\treturn h;\n}\n")
	return b.Bytes()
}

func statement(b *bytes.Buffer, rnd *rand.Rand, f int) {
	k := func() int { return 1 + rnd.IntN(60) }
	switch rnd.IntN(6) {
	case 0:
		fmt.Fprintf(b, "\tfor (i = 0; i < x %% %d + 8; i++) { v[i & 7] += table[(i * %d + h) & 255]; h = h * 31 + v[(i + 3) & 7]; }\n", k(), k())
	case 1:
		fmt.Fprintf(b, "\tswitch ((h ^ y) %% 7) { case 0: h += %d; break; case 1: h *= x; case 2: y -= h >> 3; break; case 4: h = p->a / (y | 1); break; case 5: p->c = h; break; default: h ^= p->b; }\n", k())
	case 2:
		fmt.Fprintf(b, "\tfor (; p && p->a > %d; p = p->next) { p->d[h %% 12] = h >> 8; h += p->c * (int)p->d[y %% 12]; }\n", k())
	case 3:
		fmt.Fprintf(b, "\tif ((int)h < (int)(y << 4) && x > %d || h == %d) { u t = h; h = y; y = t + %d; } else v[%d] = h %% (x | 1);\n", k(), k(), k(), rnd.IntN(8))
	case 4:
		if f > 0 {
			fmt.Fprintf(b, "\tif (h & %d) h -= f%d(y, h >> %d, p);\n", k(), rnd.IntN(f), rnd.IntN(16))
		}
	case 5:
		fmt.Fprintf(b, "\t{ double d = h, e = y + %d.5; h += (u)((long long)(d * e - x / e) & 0xffff); }\n", k())
	}
}
