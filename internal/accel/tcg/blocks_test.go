package tcg_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand"
	rand2 "math/rand/v2"
	"os"
	"strings"
	"testing"

	"rhea/internal/accel"
	"rhea/internal/guest/x86"
)

// outcome is what can be seen of a run that ended in an exception.
func (r *rig) outcome() string {
	s := r.cpu.Registers()
	ip, flags := r.frame()
	return fmt.Sprintf("exception %d at %#x flags %#x gpr %x sp %#x cr2 %#x %s", r.vector, ip, flags, s.GPR[:4], get32(r.ram, int(s.GPR[4])+12), s.CR2,
		fpuOf(s, true, true))
}

// TestBlocksEqualSteps runs random straight-line programs as units and one
// instruction at a time: registers, flags, memory and exceptions must agree.
// What units do beyond single instructions (values kept between them, flags
// left out, write-back at faults) has no other judge.
func TestBlocksEqualSteps(t *testing.T) { eachEngine(t, testBlocksEqualSteps) }

func testBlocksEqualSteps(t *testing.T) {
	t.Run("integer", func(t *testing.T) { blocksEqualSteps(t, vectorPool(t, "int32"), nil) })
	t.Run("fpu", func(t *testing.T) {
		pool := vectorPool(t, "sse")
		pool = append(pool, vectorPool(t, "x87")...)
		pool = append(pool, mmxPool(t)...)
		pool = append(pool, vectorPool(t, "int32")[:len(pool)/3]...)
		blocksEqualSteps(t, pool, func(rnd *rand.Rand, _ *rig, s *x86.State) {
			randomFPU(rand2.New(rand2.NewPCG(rnd.Uint64(), 1)), s)
			s.GPR[3] = vData + 0x20
			if rnd.Intn(4) == 0 { // some exceptions are not masked
				s.FCW &^= rnd.Uint64() & 0x3f
				s.MXCSR &^= rnd.Uint64() & 0x1f80
				s.FSW &^= 0x3f
			}
			if rnd.Intn(8) == 0 {
				s.CR0 &^= 0x20 // NE
			}
		})
	})
	t.Run("sse specials", func(t *testing.T) {
		pool := append(vectorPool(t, "sse"), arithmeticPool()...)
		blocksEqualSteps(t, pool, func(rnd *rand.Rand, r *rig, s *x86.State) {
			specialFPU(rand2.New(rand2.NewPCG(rnd.Uint64(), 1)), r, s)
		})
	})
	t.Run("x87 specials", func(t *testing.T) {
		pool := append(vectorPool(t, "x87"), arithmeticPool87()...)
		blocksEqualSteps(t, pool, func(rnd *rand.Rand, r *rig, s *x86.State) {
			specialFPU(rand2.New(rand2.NewPCG(rnd.Uint64(), 1)), r, s)
		})
	})
}

// mmxPool returns the instructions of TestMMX.
func mmxPool(t *testing.T) (pool [][]byte) {
	b, err := os.ReadFile("testdata/mmx.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(b), "\n") {
		if w, _, _ := strings.Cut(line, " "); w != "" && w != "#" {
			pool = append(pool, unhex(w))
		}
	}
	return pool
}

// vectorPool returns the instructions of a file of vectors that go on behind
// themselves.
func vectorPool(t *testing.T, file string) (pool [][]byte) {
	sc := vectorFile(t, "386/"+file+".jsonl.gz")
	seen := map[string]bool{}
	for sc.Scan() {
		var v vector386
		if err := json.Unmarshal(sc.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		// Control flow does not go on behind itself.
		if f := v.F; strings.HasPrefix(f, "7") || strings.HasPrefix(f, "0F8") || strings.HasPrefix(f, "E") || seen[v.B] {
			continue
		}
		seen[v.B] = true
		if v.IP == uint32(len(v.B)/2) {
			pool = append(pool, unhex(v.B))
		}
	}
	return pool
}

// blocksEqualSteps runs programs of the pool's instructions; more prepares
// further registers.
func blocksEqualSteps(t *testing.T, pool [][]byte, more func(rnd *rand.Rand, r *rig, s *x86.State)) {
	n := 3000
	if testing.Short() {
		n = 500
	}
	a, b := newProtectedRig(t, "max"), newProtectedRig(t, "max")
	rnd := rand.New(rand.NewSource(1))
	for i := range n {
		var code []byte
		for range 2 + rnd.Intn(20) {
			code = append(code, pool[rnd.Intn(len(pool))]...)
		}
		seed := rnd.Int63()
		prepare := func(r *rig) {
			rnd := rand.New(rand.NewSource(seed))
			v := vector386{B: hex.EncodeToString(code), FL: "2", M: strings.Repeat("0123456789abcdef", 16)}
			r.load(&v)
			s := r.cpu.Registers()
			for j := range 8 {
				switch rnd.Intn(3) {
				case 0:
					s.GPR[j] = uint64(rnd.Uint32())
				case 1:
					s.GPR[j] = uint64(rnd.Intn(256))
				default:
					s.GPR[j] = 0x20000000 + uint64(rnd.Intn(128))
				}
			}
			s.GPR[4] = 0x20000040
			if more != nil {
				r.cpu.SetRegisters(func(s *x86.State) { more(rnd, r, s) })
			}
			r.cpu.SetEFLAGS(uint64(rnd.Intn(0x1000))&0xcd5 | 0x202)
			r.vector = -1
		}
		prepare(a)
		if exit, err := a.vcpu.Run(100000); exit != accel.Kicked || err != nil {
			t.Fatalf("exit %v, %v", exit, err)
		}
		prepare(b)
		for b.vector < 0 {
			if exit, err := b.vcpu.Run(1); exit == accel.Shutdown || err != nil {
				t.Fatalf("exit %v, %v", exit, err)
			}
		}
		if x, y := a.outcome(), b.outcome(); x != y {
			t.Errorf("program %d\n%s\nas a unit %s\nin steps  %s", i, listing(code), x, y)
		} else if string(a.ram[pData:pData+0x3000]) != string(b.ram[pData:pData+0x3000]) {
			t.Errorf("program %d: memory differs\n%s", i, listing(code))
		}
		if t.Failed() {
			return
		}
	}
}

func listing(code []byte) string {
	var w strings.Builder
	for len(code) > 0 {
		n := x86.InstructionLength(code)
		fmt.Fprintf(&w, "%x\n", code[:n])
		code = code[n:]
	}
	return w.String()
}
