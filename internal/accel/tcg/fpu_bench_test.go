package tcg_test

import (
	"encoding/hex"
	"math"
	"strings"
	"testing"

	"rhea/internal/guest/x86"
)

// BenchmarkFPU gives the time of one instruction in a loop of 64, and of what
// the interpreter does with one that needs no helper (PXOR, ADD).
func BenchmarkFPU(b *testing.B) { benchEngines(b, benchmarkFPU) }

func benchmarkFPU(b *testing.B) {
	for _, x := range []struct{ name, code string }{
		{"ADD", "01c8"}, {"PXOR", "660fefc1"}, {"MOVAPS", "0f2803"}, {"PADDB", "660ffcc1"}, {"PMADDWD", "660ff5c1"},
		{"MMX PADDB", "0ffcc1"}, {"MMX PADDUSB", "0fdcc1"}, {"PSHUFD", "660f70c11b"}, {"PUNPCKLBW", "660f60c1"},
		{"ADDSD", "f20f58d3"}, {"MULSD", "f20f59d3"}, {"ADDPS", "0f58e5"}, {"DIVSD", "f20f5ed3"}, {"SQRTSD", "f20f51d3"},
		{"CVTTSD2SI", "f20f2cd3"}, {"CVTSI2SD", "f20f2ad0"}, {"UCOMISD", "660f2ed3"},
		{"FLD FSTP", "dd43 40 dd5b 48"}, {"FADD", "d8c1"}, {"FMUL", "d8c9"}, {"FDIV", "d8f1"}, {"FSQRT", "d9fa"}, {"FXCH", "d9c9"}, {"FILD FISTP", "db4360 db5b64"},
	} {
		b.Run(strings.ReplaceAll(x.name, " ", "_"), func(b *testing.B) {
			r := newProtectedRig(b, "max")
			code := strings.Repeat(strings.ReplaceAll(x.code, " ", ""), 64)
			loop := len(code)/2 + 6
			code += "4e0f85" + hex.EncodeToString([]byte{byte(-loop - 1), byte((-loop - 1) >> 8), 0xff, 0xff}) // DEC ESI; JNZ
			v := vector386{B: code, M: strings.Repeat("00", 128), FL: "2"}
			r.load(&v)
			put32(r.data(), 0x44, 0x3ff80000)
			two, third := math.Float64bits(2), math.Float64bits(1+1.0/(1<<40))
			r.cpu.SetRegisters(func(s *x86.State) {
				s.GPR[3], s.GPR[6] = vData, uint64(b.N/64+1)
				s.FCW, s.MXCSR = 0x37f, 0x1fa0
				s.FPR[0], s.FPR[1], s.FTW = [2]uint64{0xaaaaaaaaaaaaaaab, 0x3fff}, [2]uint64{1 << 63, 0x3fff}, 3
				s.XMM[2], s.XMM[3] = [2]uint64{two, two}, [2]uint64{third, third}
				s.XMM[4], s.XMM[5] = [2]uint64{0x3f8000003f800000, 0x3f8000003f800000}, [2]uint64{0x3e0000003e000000, 0x3e0000003e000000}
			})
			r.vector = -1
			b.ResetTimer()
			for r.vector < 0 {
				if _, err := r.vcpu.Run(1 << 40); err != nil {
					b.Fatal(err)
				}
			}
			if r.vector != noVector {
				b.Fatalf("exception %d", r.vector)
			}
		})
	}
}
