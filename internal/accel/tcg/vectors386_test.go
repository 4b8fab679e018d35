package tcg_test

import (
	"bufio"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"

	"rhea/internal/accel"
	"rhea/internal/accel/tcg"
	"rhea/internal/guest/x86"
	"rhea/internal/mem"
)

// vectorFile opens a file of the vectors' folder, or skips.
func vectorFile(t testing.TB, name string) *bufio.Scanner {
	dir := os.Getenv("RHEA_VECTORS")
	if dir == "" {
		dir = "../../../../shared/vectors"
	}
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		t.Skipf("no vectors (RHEA_VECTORS names their folder): %v", err)
	}
	t.Cleanup(func() { f.Close() })
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	s := bufio.NewScanner(z)
	s.Buffer(nil, 1<<20)
	return s
}

// rig is a processor with memory and ports, and nothing else.
type rig struct {
	cpu    *x86.CPU
	vcpu   *tcg.VCPU
	space  *mem.Space
	ram    []byte
	main   *mem.RAM // the same
	vector int      // that was raised last
	lock   sync.Mutex
	ferr   func(level bool) // the FERR# pin
}

// trapPort is written by the handlers of rig's exceptions: port = vector.
func (r *rig) Read(uint64, int) uint64 { return ^uint64(0) }
func (r *rig) Write(off uint64, _ int, _ uint64) {
	r.vector = int(off)
	r.vcpu.Kick()
}

func newRig(t testing.TB, model string, ram uint64) *rig { return newRigAt(t, model, ram, nil) }

// newRigAt is newRig with other ports than those of the rig.
func newRigAt(t testing.TB, model string, ram uint64, ports mem.MMIO) *rig {
	return newRigEngine(t, engineOf(t), model, ram, ports)
}

// newRigEngine is newRigAt with an engine by name.
func newRigEngine(t testing.TB, engine, model string, ram uint64, ports mem.MMIO, more ...func(*tcg.Config)) *rig {
	parse := x86.ParseModel
	if strings.HasPrefix(model, "x86_64 ") {
		model, parse = model[7:], x86.ParseModel64
	}
	m, err := parse(model)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{}
	if ports == nil {
		ports = r
	}
	root := mem.NewContainer("system", 0)
	region := mem.NewRAM("ram", ram)
	root.Add(0, region)
	r.ram, r.main = region.RAM().Bytes, region.RAM()
	io := mem.NewContainer("io", 0x10000)
	io.Add(0, mem.NewIO("traps", 256, ports))
	r.space = mem.NewSpace("memory", root, nil)
	r.cpu = x86.New(x86.Config{Model: m, Random: func() uint64 { return 0x9e3779b97f4a7c15 }, FERR: func(level bool) {
		if r.ferr != nil {
			r.ferr(level)
		}
	}})
	cfg := tcg.Config{Lock: &r.lock, IO: mem.NewSpace("io", io, nil)}
	setEngine(&cfg, engine)
	for _, f := range more {
		f(&cfg)
	}
	if r.vcpu, err = tcg.New(cfg).NewCPU(r.cpu, r.space); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.vcpu.Close() })
	return r
}

func put32(b []byte, at int, v uint32) {
	b[at], b[at+1], b[at+2], b[at+3] = byte(v), byte(v>>8), byte(v>>16), byte(v>>24)
}

func get32(b []byte, at int) uint32 {
	return uint32(b[at]) | uint32(b[at+1])<<8 | uint32(b[at+2])<<16 | uint32(b[at+3])<<24
}

// Physical layout of the protected-mode rig.
const (
	pPageDir  = 0x1000
	pTable1   = 0x2000 // for 0x10000000
	pTable2   = 0x3000 // for 0x20000000
	pTable3   = 0x4000 // for 0x1fc00000
	pTable0   = 0x5000
	pIDT      = 0x6000
	pGDT      = 0x7000
	pTSS      = 0x8000
	pHandlers = 0x9000
	pStack    = 0xb000 // top
	pCode     = 0x10000
	pData     = 0x11000 // 3 pages: 1ffff000, 20000000, 20001000
	rigRAM    = 0x20000

	vCode = 0x10000000
	vData = 0x20000000
)

// newProtectedRig is a flat 32-bit process at CPL 3, as the vectors of
// ../shared/vectors/386 were captured in: code at 10000000, data around
// 20000000, every exception caught.
func newProtectedRig(t testing.TB, model string) *rig {
	r := newRig(t, model, rigRAM)
	b := r.ram
	for page := range 0x20 { // identity, supervisor
		put32(b, pTable0+page*4, uint32(page)<<12|3)
	}
	put32(b, pPageDir, pTable0|3)
	put32(b, pPageDir+(vCode>>22)*4, pTable1|7)
	put32(b, pTable1, pCode|5) // read-only
	put32(b, pPageDir+(vData>>22)*4, pTable2|7)
	put32(b, pTable2, pData+0x1000|7)
	put32(b, pTable2+4, pData+0x2000|7)
	put32(b, pPageDir+(0x1ffff000>>22)*4, pTable3|7)
	put32(b, pTable3+0x3ff*4, pData|7)
	for v := range 32 {
		h := pHandlers + v*16
		copy(b[h:], []byte{0xe6, byte(v), 0xf4}) // OUT v, AL; HLT
		put32(b, pIDT+v*8, 0x08<<16|uint32(h)&0xffff)
		put32(b, pIDT+v*8+4, uint32(h)&0xffff0000|0xee00)
	}
	desc := func(n int, lo, hi uint32) { put32(b, pGDT+n*8, lo); put32(b, pGDT+n*8+4, hi) }
	desc(1, 0xffff, 0xcf9b00)
	desc(2, 0xffff, 0xcf9300)
	desc(3, 0xffff, 0xcffb00)
	desc(4, 0xffff, 0xcff300)
	desc(5, pTSS<<16|0x67, 0x8b00)
	put32(b, pTSS+4, pStack)
	put32(b, pTSS+8, 0x10)
	return r
}

// enter puts the processor into the process, at vCode.
func (r *rig) enter() {
	r.cpu.SetRegisters(func(s *x86.State) {
		s.CR0, s.CR3, s.CR4 = 0x80010033, pPageDir, 0x600
		user := func(sel, attr uint64) x86.Segment {
			return x86.Segment{Sel: sel, Limit: 0xffffffff, Attr: attr}
		}
		for i := range s.Seg {
			s.Seg[i] = user(0x23, 0xcff300)
		}
		s.Seg[x86.CS] = user(0x1b, 0xcffb00)
		s.TR = x86.Segment{Sel: 0x28, Base: pTSS, Limit: 0x67, Attr: 0x8b00}
		s.GDTR, s.IDTR = x86.Table{Base: pGDT, Limit: 0x2f}, x86.Table{Base: pIDT, Limit: 0xff}
		s.IP = vCode
	})
}

// frame returns what the exception has pushed: EIP and EFLAGS.
func (r *rig) frame() (ip, flags uint32) {
	sp := int(r.cpu.Registers().GPR[4])
	if r.vector >= 10 && r.vector <= 14 || r.vector == 8 || r.vector == 17 {
		sp += 4
	}
	return get32(r.ram, sp), get32(r.ram, sp+8)
}

type vector386 struct {
	F    string            `json:"f"`
	B    string            `json:"b"`
	R    map[string]string `json:"r"`
	FL   string            `json:"fl"`
	K    string            `json:"k"`
	M    string            `json:"m"`
	Sig  int               `json:"sig"`
	Rout map[string]string `json:"R"`
	FLo  string            `json:"FL"`
	IP   uint32            `json:"ip"`
	Mout [][2]any          `json:"M"`
	Q    int               `json:"q"`
	FI   *fpState          `json:"fi"`
	FO   json.RawMessage   `json:"fo"`
	SWK  uint32            `json:"swk"`
}

type fpState struct {
	MXCSR uint32   `json:"mxcsr"`
	X     []string `json:"x"`
	CW    uint32   `json:"cw"`
	SW    uint32   `json:"sw"`
	TW    uint32   `json:"tw"`
	ST    []string `json:"st"`
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

func num(s string) uint32 {
	v, err := strconv.ParseUint(s, 16, 64)
	if err != nil {
		panic(err)
	}
	return uint32(v)
}

// regNumbers maps a vector's register number to ours: the vectors count ax
// cx dx bx, in 32 bits.
func regNumber(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

// load sets the process up for v.
func (r *rig) load(v *vector386) {
	r.enter()
	code := r.ram[pCode : pCode+0x1000]
	for i := range code {
		code[i] = 0xcc
	}
	copy(code, unhex(v.B))
	data := r.ram[pData : pData+0x3000]
	clear(data)
	copy(data[0x1000:], unhex(v.M))
	// Written from outside: what was translated of it is void.
	r.codeChanged()
	s := r.cpu.Registers()
	clear(s.GPR[:])
	for n, x := range v.R {
		if i := regNumber(n); i < 8 {
			s.GPR[i] = uint64(num(x))
		}
	}
	r.cpu.SetEFLAGS(uint64(num(v.FL)) | 2 | 0x200)
}

func (r *rig) codeChanged() { r.vcpu.FlushCode() }

// signal is what Linux makes of an exception.
func signal(vec int) int {
	switch vec {
	case 3:
		return 0
	case 0, 16, 19:
		return 8
	case 6:
		return 4
	}
	return 11
}

// check runs v and returns what differs.
func (r *rig) check(t testing.TB, v *vector386) string {
	r.load(v)
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
	ip, flags := r.frame()
	sp := int(r.cpu.Registers().GPR[4])
	if want := vCode + v.IP + 1; ip != want { // behind the INT3
		return fmt.Sprintf("ip %#x, want %#x", ip, want)
	}
	if k := num(v.K); (flags^num(v.FLo))&k != 0 {
		return fmt.Sprintf("flags %#x, want %#x under %#x", flags&k, num(v.FLo)&k, k)
	}
	for n, x := range v.R {
		i := regNumber(n)
		if i >= 8 {
			continue
		}
		want := num(x)
		if y, ok := v.Rout[n]; ok {
			want = num(y)
		}
		got := uint32(r.cpu.Registers().GPR[i])
		if i == 4 {
			got = get32(r.ram, sp+12)
		}
		if got != want {
			return fmt.Sprintf("register %d is %#x, want %#x", i, got, want)
		}
	}
	return r.checkData(v)
}

// checkData compares memory, and the state of floating point if a vector has it.
func (r *rig) checkData(v *vector386) string {
	want := unhex(v.M)
	for _, m := range v.Mout {
		copy(want[int(m[0].(float64)):], unhex(m[1].(string)))
	}
	for i, b := range r.ram[pData+0x1000 : pData+0x1080] {
		if b != want[i] {
			return fmt.Sprintf("memory at %d is %#x, want %#x", i, b, want[i])
		}
	}
	if v.FI != nil {
		return r.checkFP(v)
	}
	return ""
}

func runVectors386(t *testing.T, file string) {
	eachEngine(t, func(t *testing.T) { testVectors386(t, file) })
}

func testVectors386(t *testing.T, file string) {
	s := vectorFile(t, "386/"+file)
	r := newProtectedRig(t, "max")
	var total, passed, totalQ, passedQ int
	bad := map[string]int{}
	first := map[string]string{}
	for s.Scan() {
		var v vector386
		if err := json.Unmarshal(s.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		diff := r.check(t, &v)
		total++
		totalQ += v.Q
		if diff == "" {
			passed++
			passedQ += v.Q
			continue
		}
		key := fmt.Sprintf("%s q:%d", v.F, v.Q)
		bad[key]++
		if first[key] == "" {
			first[key] = fmt.Sprintf("%s: %s", v.B, diff)
		}
	}
	t.Logf("%s: q:1 %d/%d, all %d/%d", file, passedQ, totalQ, passed, total)
	var keys []string
	for k := range bad {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		t.Logf("%s: %d failed; %s", k, bad[k], first[k])
	}
	if passed != total { // those with q:0 too: see vectorsfp_test.go
		t.Errorf("%s: %d vectors that must pass do not", file, total-passed)
	}
}

func TestVectors386Int32(t *testing.T) { runVectors386(t, "int32.jsonl.gz") }
func TestVectors386SSE(t *testing.T)   { runVectors386(t, "sse.jsonl.gz") }
func TestVectors386X87(t *testing.T)   { runVectors386(t, "x87.jsonl.gz") }
