package tcg_test

import (
	"encoding/json"
	"fmt"
	"sort"
	"strconv"
	"testing"

	"rhea/internal/accel"
	"rhea/internal/guest/x86"
)

// Physical layout of the 64-bit rig; the rest is as in the protected-mode rig.
const (
	lPML4 = 0x1000
	lPDPT = 0x2000
	lPD   = 0x3000
	lPT0  = 0x4000 // for 0
	lPT1  = 0x5000 // for 0x10000000
	lPT2  = 0xc000 // for 0x20000000
	lPT3  = 0xd000 // for 0x1fe00000
)

func put64(b []byte, at int, v uint64) { putLE64(b[at:], v) }

// newLongRig is a flat 64-bit process at CPL 3, as the vectors int64, sse and x87
// of ../shared/vectors/386 were captured in.
func newLongRig(t testing.TB, model string) *rig {
	r := newRig(t, "x86_64 "+model, rigRAM)
	b := r.ram
	put64(b, lPML4, lPDPT|7)
	put64(b, lPDPT, lPD|7)
	for _, x := range [][2]int{{0, lPT0}, {vCode, lPT1}, {vData, lPT2}, {0x1fe00000, lPT3}} {
		put64(b, lPD+x[0]>>21*8, uint64(x[1])|7)
	}
	for page := range 0x20 { // identity, supervisor
		put64(b, lPT0+page*8, uint64(page)<<12|3)
	}
	put64(b, lPT1, pCode|5)
	put64(b, lPT2, 1<<63|pData+0x1000|7)
	put64(b, lPT2+8, 1<<63|pData+0x2000|7)
	put64(b, lPT3+0x1ff*8, 1<<63|pData|7)
	for v := range 32 {
		h := pHandlers + v*16
		copy(b[h:], []byte{0xe6, byte(v), 0xf4}) // OUT v, AL; HLT
		put32(b, pIDT+v*16, 0x08<<16|uint32(h)&0xffff)
		put32(b, pIDT+v*16+4, uint32(h)&0xffff0000|0xee00)
	}
	desc := func(n int, lo, hi uint32) { put32(b, pGDT+n*8, lo); put32(b, pGDT+n*8+4, hi) }
	desc(1, 0xffff, 0xaf9b00)
	desc(2, 0xffff, 0xcf9300)
	desc(3, 0xffff, 0xaffb00)
	desc(4, 0xffff, 0xcff300)
	desc(5, pTSS<<16|0x67, 0x8b00)
	put64(b, pTSS+4, pStack)
	return r
}

// enterLong puts the processor into the process, at vCode.
func (r *rig) enterLong() {
	r.cpu.SetRegisters(func(s *x86.State) {
		s.CR0, s.CR3, s.CR4, s.EFER = 0x80010033, lPML4, 0x620, 0xd01
		for i := range s.Seg {
			s.Seg[i] = x86.Segment{Sel: 0x23, Limit: 0xffffffff, Attr: 0xcff300}
		}
		s.Seg[x86.CS] = x86.Segment{Sel: 0x1b, Limit: 0xffffffff, Attr: 0xaffb00}
		s.TR = x86.Segment{Sel: 0x28, Base: pTSS, Limit: 0x67, Attr: 0x8b00}
		s.GDTR, s.IDTR = x86.Table{Base: pGDT, Limit: 0x37}, x86.Table{Base: pIDT, Limit: 0x1ff}
		s.IP = vCode
	})
}

func num64(s string) uint64 {
	v, err := strconv.ParseUint(s, 16, 64)
	if err != nil {
		panic(err)
	}
	return v
}

// check64 runs v and returns what differs.
func (r *rig) check64(v *vector386) string {
	r.enterLong()
	code := r.ram[pCode : pCode+0x1000]
	for i := range code {
		code[i] = 0xcc
	}
	copy(code, unhex(v.B))
	data := r.ram[pData : pData+0x3000]
	clear(data)
	copy(data[0x1000:], unhex(v.M))
	r.codeChanged()
	s := r.cpu.Registers()
	clear(s.GPR[:])
	for n, x := range v.R {
		s.GPR[regNumber(n)] = num64(x)
	}
	r.cpu.SetEFLAGS(uint64(num(v.FL)) | 2 | 0x200)
	if v.FI != nil {
		r.loadFP(v)
	}
	r.vector = -1
	exit, err := r.vcpu.Run(10000)
	if err != nil || exit != accel.Kicked {
		return fmt.Sprintf("exit %v, error %v", exit, err)
	}
	if got := signal(r.vector); got != v.Sig {
		return fmt.Sprintf("exception %d (signal %d), want signal %d", r.vector, got, v.Sig)
	}
	if v.Sig != 0 {
		return ""
	}
	sp := int(s.GPR[4])
	if want := uint64(vCode + v.IP + 1); le64(r.ram[sp:]) != want { // behind the INT3
		return fmt.Sprintf("ip %#x, want %#x", le64(r.ram[sp:]), want)
	}
	if k, flags := num(v.K), get32(r.ram, sp+16); (flags^num(v.FLo))&k != 0 {
		return fmt.Sprintf("flags %#x, want %#x under %#x", flags&k, num(v.FLo)&k, k)
	}
	for n, x := range v.R {
		want := num64(x)
		if y, ok := v.Rout[n]; ok {
			want = num64(y)
		}
		got := s.GPR[regNumber(n)]
		if regNumber(n) == 4 {
			got = le64(r.ram[sp+24:])
		}
		if got != want {
			return fmt.Sprintf("register %s is %#x, want %#x", n, got, want)
		}
	}
	return r.checkData(v)
}

func testVectors64(t *testing.T, file string) {
	s := vectorFile(t, "386/"+file)
	r := newLongRig(t, "max")
	total, passed := 0, 0
	bad := map[string]int{}
	first := map[string]string{}
	for s.Scan() {
		var v vector386
		if err := json.Unmarshal(s.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		diff := r.check64(&v)
		total++
		if diff == "" {
			passed++
			continue
		}
		key := fmt.Sprintf("%s q:%d", v.F, v.Q)
		bad[key]++
		if first[key] == "" {
			first[key] = fmt.Sprintf("%s: %s", v.B, diff)
		}
	}
	t.Logf("%s: %d/%d", file, passed, total)
	var keys []string
	for k := range bad {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		t.Logf("%s: %d failed; %s", k, bad[k], first[k])
	}
	if passed != total {
		t.Errorf("%s: %d vectors that must pass do not", file, total-passed)
	}
}

func TestVectors64Int(t *testing.T) {
	eachEngine(t, func(t *testing.T) { testVectors64(t, "int64.jsonl.gz") })
}
func TestVectors64SSE(t *testing.T) {
	eachEngine(t, func(t *testing.T) { testVectors64(t, "sse.jsonl.gz") })
}
func TestVectors64X87(t *testing.T) {
	eachEngine(t, func(t *testing.T) { testVectors64(t, "x87.jsonl.gz") })
}
