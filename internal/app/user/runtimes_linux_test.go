//go:build linux && amd64

package user

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// long skips a test of make runtimes elsewhere: it takes many minutes.
func long(t *testing.T) {
	if os.Getenv("RHEA_RUNTIMES") == "" {
		t.Skip("is one of 'make runtimes'")
	}
}

// TestRuntimes runs a JavaScript engine and a Java machine.
func TestRuntimes(t *testing.T) {
	long(t)
	const script = `const c=require('crypto'),z=require('zlib'),{Worker}=require('worker_threads'),cp=require('child_process'),net=require('net');
let s=0;for(let i=0;i<3e6;i++)s=(s*31+i)|0;
console.log(s,c.createHash('sha256').update('x'.repeat(1e5)).digest('hex'),z.gunzipSync(z.gzipSync('a'.repeat(1e5))).length);
console.log(cp.execSync('echo child').toString().trim());
new Worker("require('worker_threads').parentPort.postMessage([...Array(1000).keys()].map(x=>x*x).reduce((a,b)=>a+b))",{eval:true}).on('message',m=>{console.log('worker',m);
const v=net.createServer(q=>q.pipe(q)).listen(0,'127.0.0.1',()=>{const q=net.connect(v.address().port,'127.0.0.1');q.on('data',d=>{console.log(''+d);q.end();v.close();setTimeout(()=>console.log('timer'),50)});q.write('echoed')})})`
	const source = `import java.util.*; import java.util.concurrent.*; import java.util.stream.*;
public class H { public static void main(String[] a) throws Exception {
 var p = Executors.newFixedThreadPool(8); var l = new ArrayList<Future<Long>>();
 for (int i = 0; i < 64; i++) { final int n = i; l.add(p.submit(() -> LongStream.range(0, 100000L + n).map(x -> x * x % 7).sum())); }
 long s = 0; for (var f : l) s += f.get(); p.shutdown(); System.out.println(s);
 try { Object o = null; o.toString(); } catch (NullPointerException e) { System.out.println("null"); }
 try { int[] x = new int[1]; x[a.length + 1] = 1; } catch (ArrayIndexOutOfBoundsException e) { System.out.println("bounds"); }
 try { System.out.println(1 / a.length); } catch (ArithmeticException e) { System.out.println("zero"); }
 var m = new TreeMap<String, Integer>(); for (int i = 0; i < 200000; i++) m.merge("k" + i % 97, i, Integer::sum); System.out.println(m.hashCode());
 for (int i = 0; i < 50; i++) { var b = new byte[1 << 20]; b[i] = 1; } System.gc(); System.out.println(Math.sin(1) + " " + (float) Math.exp(2));
 System.out.println(new String(new ProcessBuilder("/bin/echo", "child").start().getInputStream().readAllBytes()).trim()); } }`
	for _, arch := range []string{"i386", "amd64"} {
		root := sysroot(t, arch)
		file := filepath.Join(root, "tmp/H.java")
		if err := os.WriteFile(file, []byte(source), 0o666); err != nil {
			t.Fatal(err)
		}
		java, _ := filepath.Glob(filepath.Join(root, "usr/lib/jvm/java-17-openjdk-*/bin/java"))
		for name, command := range map[string][]string{
			"node": {"/usr/bin/node", "-e", script},
			"java": {strings.TrimPrefix(strings.Join(java, ""), root), "/tmp/H.java"},
		} {
			t.Run(arch+"/"+name, func(t *testing.T) {
				if _, err := os.Stat(filepath.Join(root, command[0])); err != nil || command[0] == "" {
					t.Skipf("%s has no %s: 'make runtimes' puts it there", root, name)
				}
				want := inside(t, root, false, command...)
				if got := inside(t, root, true, command...); got != want || strings.Count(want, "\n") < 5 {
					t.Errorf("%s", difference(got, want))
				}
			})
		}
	}
}

// impossible are tests of Go's standard library that fail for what user mode has
// not, and why.
func impossible() map[string]string {
	const ptrace = "there is no ptrace"
	return map[string]string{
		"TestExecPtrace": ptrace, "TestGdbPanic": ptrace, "TestGdbCoreSignalBacktrace": ptrace, "TestGdbBacktrace": ptrace, "TestGdbPython": ptrace,
		"TestSyscallNoError": "a program's set-user-ID bit has no effect",
		"TestUsingVDSO":      "there is no vDSO",
	}
}

// TestGoStandard runs tests of Go's standard library that live by system calls,
// threads and signals. What fails natively does not count.
func TestGoStandard(t *testing.T) {
	long(t)
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// Programs that tests execute run as their file says, these by the test's program.
	link := filepath.Join(t.TempDir(), asUser)
	if err := os.Symlink(self, link); err != nil {
		t.Fatal(err)
	}
	for _, pkg := range strings.Fields("sync sync/atomic context time os/signal os/exec os net syscall runtime") {
		for _, arch := range []string{"386", "amd64"} {
			t.Run(arch+"/"+pkg, func(t *testing.T) {
				dir := filepath.Join(strings.TrimSpace(string(goroot)), "src", pkg)
				exe := filepath.Join(t.TempDir(), "tests")
				build := exec.Command("go", "test", "-c", "-o", exe, pkg)
				build.Env = append(os.Environ(), "GOARCH="+arch, "CGO_ENABLED=0")
				if out, err := build.CombinedOutput(); err != nil {
					t.Fatalf("go test -c: %v\n%s", err, out)
				}
				failing := func(emulated bool, only ...string) map[string]bool {
					ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
					defer cancel()
					args := []string{exe, "-test.short", "-test.timeout=12m"}
					for _, name := range only {
						args = append(args, "-test.timeout=1m", "-test.run=^"+name+"$")
					}
					if emulated {
						args = append([]string{link}, args...)
					}
					cmd := exec.CommandContext(ctx, args[0], args[1:]...)
					cmd.Dir, cmd.WaitDelay = dir, time.Second
					out, err := cmd.CombinedOutput()
					list := map[string]bool{}
					for line := range strings.Lines(string(out)) {
						name, failed := strings.CutPrefix(line, "--- FAIL: ")
						if !failed { // one that was running when the time was over
							name, failed = strings.CutPrefix(line, "\tTest")
							name = "Test" + name
						}
						if failed {
							name, _, _ = strings.Cut(name, " ")
							name, _, _ = strings.Cut(name, "/")
							list[name] = true
						}
					}
					if err != nil && len(list) == 0 {
						list["the program"] = true
						t.Logf("%v: %s", err, out[max(0, len(out)-4000):])
					}
					return list
				}
				emulated := failing(true)
				if len(emulated) == 0 {
					return
				}
				native := failing(false)
				for name := range emulated {
					again := func() bool { return len(failing(true, name)) != 0 }
					switch why := impossible()[name]; {
					case native[name]:
						t.Logf("%s fails natively, too", name)
					case why != "":
						t.Logf("%s fails: %s", name, why)
					case name != "the program" && !(again() && again()): // Go marks some as flaky; natively they hang under load, too
						t.Logf("%s failed once", name)
					default:
						t.Errorf("%s fails", name)
					}
				}
			})
		}
	}
}
