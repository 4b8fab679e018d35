package softfloat

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// vectorsDir is the folder of the shared vectors, or "" with the reason.
func vectorsDir(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("RHEA_VECTORS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "vectors") // ../shared/vectors from the module root
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no test vectors: set RHEA_VECTORS (%v)", err)
	}
	return dir
}

// tfFlags gives Flags in TestFloat's encoding; Denormal has none.
func tfFlags(f Flags) (r uint8) {
	for i, x := range []Flags{Inexact, Underflow, Overflow, DivByZero, Invalid} {
		if f&x != 0 {
			r |= 1 << i
		}
	}
	return
}

func hex64(s string) uint64 {
	v, err := strconv.ParseUint(s, 16, 64)
	if err != nil {
		panic(err)
	}
	return v
}

func tf32(s string) F32   { return F32(hex64(s)) }
func tf64(s string) F64   { return F64(hex64(s)) }
func tf80(s string) F80   { return F80{hex64(s[4:]), uint16(hex64(s[:4]))} }
func tf128(s string) F128 { return F128{hex64(s[:16]), hex64(s[16:])} }

func (a F32) String() string  { return fmt.Sprintf("%08X", uint32(a)) }
func (a F64) String() string  { return fmt.Sprintf("%016X", uint64(a)) }
func (a F80) String() string  { return fmt.Sprintf("%04X%016X", a.SE, a.Man) }
func (a F128) String() string { return fmt.Sprintf("%016X%016X", a.Hi, a.Lo) }

// arithmetic is what all four formats share.
type arithmetic[T any] interface {
	Add(*Env, T) T
	Sub(*Env, T) T
	Mul(*Env, T) T
	Div(*Env, T) T
	Rem(*Env, T) T
	Sqrt(*Env) T
	RoundToInt(*Env, Rounding) T
	Compare(*Env, T) Ordering
	CompareSignaling(*Env, T) Ordering
	ToI32(*Env, Rounding) int32
	ToI64(*Env, Rounding) int64
	ToU32(*Env, Rounding) uint32
	ToU64(*Env, Rounding) uint64
	fmt.Stringer
}

func tfRun[T arithmetic[T]](op string, e *Env, parse func(string) T, arg []string) (string, bool) {
	a := parse(arg[0])
	var b T
	if len(arg) > 1 {
		b = parse(arg[1])
	}
	truth := func(v bool) string { return strconv.Itoa(int(b2u(v))) }
	switch op {
	case "add":
		return a.Add(e, b).String(), true
	case "sub":
		return a.Sub(e, b).String(), true
	case "mul":
		return a.Mul(e, b).String(), true
	case "div":
		return a.Div(e, b).String(), true
	case "rem":
		return a.Rem(e, b).String(), true
	case "sqrt":
		return a.Sqrt(e).String(), true
	case "roundToInt":
		return a.RoundToInt(e, e.Round).String(), true
	case "eq":
		return truth(a.Compare(e, b) == Equal), true
	case "lt":
		return truth(a.CompareSignaling(e, b) == Less), true
	case "le":
		return truth(a.CompareSignaling(e, b) <= Equal), true
	case "to_i32":
		return fmt.Sprintf("%08X", uint32(a.ToI32(e, e.Round))), true
	case "to_i64":
		return fmt.Sprintf("%016X", uint64(a.ToI64(e, e.Round))), true
	case "to_ui32":
		return fmt.Sprintf("%08X", a.ToU32(e, e.Round)), true
	case "to_ui64":
		return fmt.Sprintf("%016X", a.ToU64(e, e.Round)), true
	}
	return "", false
}

// tfEval computes one TestFloat function.
func tfEval(fn string, e *Env, arg []string) string {
	typ, op, _ := strings.Cut(fn, "_")
	if to, ok := strings.CutPrefix(op, "to_"); ok {
		switch fn {
		case "f32_to_f64":
			return tf32(arg[0]).ToF64(e).String()
		case "f32_to_extF80":
			return tf32(arg[0]).ToF80(e).String()
		case "f64_to_f32":
			return tf64(arg[0]).ToF32(e).String()
		case "f64_to_extF80":
			return tf64(arg[0]).ToF80(e).String()
		case "extF80_to_f32":
			return tf80(arg[0]).ToF32(e).String()
		case "extF80_to_f64":
			return tf80(arg[0]).ToF64(e).String()
		}
		v := int64(0)
		switch typ {
		case "i32":
			v = int64(int32(hex64(arg[0])))
		case "i64", "ui32":
			v = int64(hex64(arg[0]))
		case "ui64":
			u := hex64(arg[0])
			switch to {
			case "f32":
				return F32FromU64(e, u).String()
			case "f64":
				return F64FromU64(e, u).String()
			case "extF80":
				return F80FromU64(u).String()
			}
		}
		if strings.Contains(typ, "i") {
			switch to {
			case "f32":
				return F32FromI64(e, v).String()
			case "f64":
				return F64FromI64(e, v).String()
			case "extF80":
				return F80FromI64(v).String()
			}
		}
	}
	switch fn {
	case "f32_mulAdd":
		return tf32(arg[0]).MulAdd(e, tf32(arg[1]), tf32(arg[2])).String()
	case "f64_mulAdd":
		return tf64(arg[0]).MulAdd(e, tf64(arg[1]), tf64(arg[2])).String()
	}
	r, ok := "", false
	switch typ {
	case "f32":
		r, ok = tfRun(op, e, tf32, arg)
	case "f64":
		r, ok = tfRun(op, e, tf64, arg)
	case "extF80":
		r, ok = tfRun(op, e, tf80, arg)
	case "f128":
		r, ok = tfRun(op, e, tf128, arg)
	}
	if !ok {
		return "no such function"
	}
	return r
}

// TestTestFloat runs the vectors of Berkeley TestFloat 3e (specialised as
// 8086-SSE): every result and every flag.
func TestTestFloat(t *testing.T) {
	path := filepath.Join(vectorsDir(t), "testfloat", "vectors.txt.gz")
	f, err := os.Open(path)
	if err != nil {
		t.Skip("no TestFloat vectors: ", err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	modes := map[string]Rounding{"near_even": NearestEven, "minMag": ToZero, "min": Down, "max": Up, "near_maxMag": NearestAway}
	type count struct{ passed, total int }
	var order []string
	counts := map[string]*count{}
	var e Env
	var c *count
	fn, block, blocks := "", "", 0
	for s := bufio.NewScanner(z); s.Scan(); {
		w := strings.Fields(s.Text())
		if len(w) == 0 {
			continue
		}
		if w[0] == "#" {
			mode, ok := modes[w[2]]
			if !ok {
				t.Fatalf("unknown rounding in %q", s.Text())
			}
			fn, block = w[1], s.Text()
			e = Env{Round: mode, TinyBefore: w[3] == "tininess_before"}
			if strings.HasPrefix(fn, "extF80_") && !strings.Contains(fn, "_to_f") {
				e.NaN = NaNX87
			}
			blocks++
			if c = counts[fn]; c == nil {
				c = new(count)
				counts[fn] = c
				order = append(order, fn)
			}
			continue
		}
		e.Flags = 0
		n := len(w)
		got := tfEval(fn, &e, w[:n-2])
		flags := fmt.Sprintf("%02X", tfFlags(e.Flags))
		c.total++
		if got == w[n-2] && flags == w[n-1] {
			c.passed++
		} else if c.total-c.passed <= 5 {
			t.Errorf("%s: %s: got %s %s", block, s.Text(), got, flags)
		}
	}
	var all count
	for _, fn := range order {
		t.Logf("%-20s %d/%d", fn, counts[fn].passed, counts[fn].total)
		all.passed += counts[fn].passed
		all.total += counts[fn].total
	}
	t.Logf("%-20s %d/%d in %d blocks", "all", all.passed, all.total, blocks)
	if all.passed != all.total || blocks != 272 {
		t.Errorf("%d of %d passed, %d of 272 blocks", all.passed, all.total, blocks)
	}
}
