package tcg_test

import (
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"rhea/internal/accel/tcg"
)

// functionsRig has a program that calls so many functions, each four times, and what
// EAX is then. Some of their code crosses pages.
func functionsRig(t *testing.T, engine string, functions int, more ...func(*tcg.Config)) (r *rig, sum uint32) {
	const base, size = 0x100000, 30
	r = newFlatRig(t, engine, "", more...)
	copy(r.ram[0x10000:], assemble(t, 32, 0x10000, map[string]uint32{}, `mov edx, 4
		mov eax, 0
		again: mov ebx, `+strconv.Itoa(base)+`
		mov ecx, `+strconv.Itoa(functions)+`
		next: call ebx
		add ebx, `+strconv.Itoa(size)+`
		dec ecx
		jnz next
		dec edx
		jnz again
		out 0x7f, al
		end: jmp end`))
	for i := range functions {
		// ADD EAX, n; TEST EAX, EAX; JNS +2; XOR EAX, EBX; ADD EAX, EBX; JMP +0; FLD1; FSTP ST0; RET
		f := r.ram[base+i*size:]
		copy(f, []byte{0x05, 0, 0, 0, 0, 0x85, 0xc0, 0x79, 2, 0x31, 0xd8, 0x01, 0xd8, 0xeb, 0, 0xd9, 0xe8, 0xdd, 0xd8, 0xc3})
		binary.LittleEndian.PutUint32(f[1:], uint32(i)*0x9e3779b9)
	}
	for range 4 {
		for i := range uint32(functions) {
			if sum += i * 0x9e3779b9; int32(sum) < 0 {
				sum ^= base + i*size
			}
			sum += base + i*size
		}
	}
	return r, sum
}

func runsTo(t *testing.T, what string, r *rig, sum uint32) {
	t.Helper()
	if _, err := r.vcpu.Run(0); err != nil {
		t.Fatal(err)
	}
	if got := uint32(r.cpu.Registers().GPR[0]); got != sum {
		t.Errorf("%s: the sum is %#x, want %#x", what, got, sum)
	}
}

func all(uint64) bool { return true }

// imaged is functionsRig after it has run, with an image of it.
func imaged(t *testing.T, functions int, more ...func(*tcg.Config)) (r *rig, sum uint32, img []byte) {
	t.Helper()
	r, sum = functionsRig(t, "quick", functions, more...)
	runsTo(t, "without an image", r, sum)
	if img = r.vcpu.Image("it", r.main, all); img == nil {
		t.Fatal("no image")
	}
	return r, sum, img
}

// imageUser is functionsRig, which has not run, with an image to use.
func imageUser(t *testing.T, img []byte, functions int, more ...func(*tcg.Config)) (r *rig, sum uint32) {
	t.Helper()
	r, sum = functionsRig(t, "quick", functions, more...)
	if err := r.vcpu.UseImage(slices.Clone(img), "it", r.main, nil); err != nil {
		t.Fatal(err)
	}
	return r, sum
}

// TestImage: who has an image translates nothing and computes the same; code that
// has changed is translated anew.
func TestImage(t *testing.T) {
	if !tcg.Available() {
		t.Skip("no translator for this host")
	}
	first, sum, img := imaged(t, 500)
	if news, known := first.vcpu.ImageNews(); news < 500 || known != 0 {
		t.Errorf("%d units, %d known", news, known)
	}

	second, _ := imageUser(t, img, 500)
	runsTo(t, "with it", second, sum)
	news, all500 := second.vcpu.ImageNews()
	if news != 0 || all500 < 500 {
		t.Errorf("with it: %d new units, %d known", news, all500)
	}
	again := second.vcpu.Image("it", second.main, all)

	third, _ := imageUser(t, again, 500)
	runsTo(t, "with an image of an image", third, sum)
	if news, _ := third.vcpu.ImageNews(); news != 0 {
		t.Errorf("with an image of an image: %d new units", news)
	}

	// Some was never met, and is still there for the next.
	some, _ := imageUser(t, img, 500)
	rest := some.vcpu.Image("it", some.main, all)
	fourth, _ := imageUser(t, rest, 500)
	runsTo(t, "with an image of who ran nothing", fourth, sum)
	if news, _ := fourth.vcpu.ImageNews(); news != 0 {
		t.Errorf("with an image of who ran nothing: %d new units", news)
	}

	// Other code at the same addresses.
	other, sum2 := imageUser(t, img, 500)
	for i := range 500 {
		if i%3 == 0 { // ADD EAX, n as SUB EAX, -n
			f := other.ram[0x100000+30*i:]
			f[0] = 0x2d
			binary.LittleEndian.PutUint32(f[1:], -uint32(i)*0x9e3779b9)
		}
	}
	runsTo(t, "of other code", other, sum2)
	if news, known := other.vcpu.ImageNews(); news < 167 || known >= all500 {
		t.Errorf("of other code: %d new units, %d of %d known", news, known, all500)
	}

	// Nobody wants any of it.
	none, _ := functionsRig(t, "quick", 500)
	runsTo(t, "not to be kept", none, sum)
	if img := none.vcpu.Image("it", none.main, func(uint64) bool { return false }); img != nil {
		empty, _ := imageUser(t, img, 500)
		runsTo(t, "with an empty image", empty, sum)
		if news, known := empty.vcpu.ImageNews(); news < 500 || known != 0 {
			t.Errorf("with an empty image: %d units, %d known", news, known)
		}
	}
}

// TestImageEviction: more code than there is memory for, and some of it is of an
// image.
func TestImageEviction(t *testing.T) {
	if !tcg.Available() {
		t.Skip("no translator for this host")
	}
	small := func(c *tcg.Config) { c.CacheSize, c.Eager = 1<<20, true }
	_, _, img := imaged(t, 800, small)
	second, sum := imageUser(t, img, 12000, small)
	runsTo(t, "all", second, sum)
	if img := second.vcpu.Image("it", second.main, all); img != nil {
		t.Error("an image of what was evicted")
	}
}

// TestDamagedImage: what is not what it was is refused, and what only seems to be an
// image harms nobody as long as it is not run.
func TestDamagedImage(t *testing.T) {
	if !tcg.Available() {
		t.Skip("no translator for this host")
	}
	little := func(c *tcg.Config) { c.CacheSize = 256 << 10 }
	_, sum, img := imaged(t, 20, little)
	use := func(data []byte, name string) (*rig, error) {
		r, _ := functionsRig(t, "quick", 20, little)
		return r, r.vcpu.UseImage(data, name, r.main, nil)
	}
	if _, err := use(slices.Clone(img), "another"); err == nil {
		t.Error("it is of another name")
	}
	for _, n := range []int{0, 1, 8, 47, 48, 200, len(img) / 2, len(img) - 1} {
		if _, err := use(slices.Clone(img[:n]), "it"); err == nil {
			t.Errorf("%d bytes of it", n)
		}
	}
	x := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		bad := slices.Clone(img)
		bad[x.IntN(len(bad))] ^= 1 << x.IntN(8)
		r, err := use(bad, "it")
		if err == nil {
			t.Error("a bit of it has changed, and it was taken")
		}
		runsTo(t, "after a refusal", r, sum)
	}
	taken := 0
	for range 200 {
		bad := slices.Clone(img)
		for range 1 + x.IntN(4) {
			at := x.IntN(len(bad))
			if x.IntN(2) == 0 {
				at = 16 + x.IntN(200)
			}
			bad[at] = byte(x.Uint32())
		}
		binary.LittleEndian.PutUint32(bad[8:], crc32.Checksum(bad[12:], crc32.MakeTable(crc32.Castagnoli)))
		if r, err := use(bad, "it"); err == nil {
			taken++
			r.vcpu.Image("it", r.main, all)
		}
	}
	if taken == 0 {
		t.Error("none of the forged ones was taken: nothing was tried")
	}
}

// TestLargeImage: of more code than an image may have it has the first, and who uses
// it need not make another.
func TestLargeImage(t *testing.T) {
	if !tcg.Available() {
		t.Skip("no translator for this host")
	}
	large := func(c *tcg.Config) { c.CacheSize, c.Eager = 8<<20, true }
	first, _, img := imaged(t, 6500, large)
	second, sum := imageUser(t, img, 6500, large)
	runsTo(t, "with it", second, sum)
	made, _ := first.vcpu.ImageNews()
	if news, known := second.vcpu.ImageNews(); news != 0 || known == 0 || known > made*9/10 {
		t.Errorf("%d units, of which %d are known and %d are news", made, known, news)
	}
}
