package chaos_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/belleville/belleville/internal/parts"
)

// nginxConf is nginx in front of one server, that gives silent sockets up after three seconds.
const nginxConf = `
daemon off; master_process on; worker_processes 1; pid %[1]s/pid; error_log %[1]s/error.log;
events { worker_connections 4096; }
http {
	access_log off; client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
	server {
		listen 127.0.0.1:%[2]d;
		location / {
			proxy_pass http://%[3]s; proxy_http_version 1.1; proxy_read_timeout 3s;
			proxy_set_header Host $host; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";
		}
	}
}
`

// startNginx puts nginx in front of a server, and returns its process and where it listens.
func startNginx(t *testing.T, upstream string) (*os.Process, string) {
	t.Helper()
	path, err := exec.LookPath("nginx")
	if err != nil {
		err = fmt.Errorf("%w: Debian's package nginx", parts.ErrMissing)
	}
	parts.Need(t, "nginx", err)
	port, err := parts.FreePort()
	must(t, err)
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o755))
	file := filepath.Join(dir, "nginx.conf")
	must(t, os.WriteFile(file, fmt.Appendf(nil, nginxConf, dir, port, upstream), 0o600))
	cmd := exec.Command(path, "-c", file, "-e", filepath.Join(dir, "error.log"))
	cmd.Stderr = os.Stderr
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // it ends as it was told
	})
	addr := fmt.Sprint("127.0.0.1:", port)
	waitUntil(t, "nginx listens", func() bool { return statusOf(addr) != 0 })
	return cmd.Process, addr
}

// statusOf returns how a plain request is answered, 0 where it is not.
func statusOf(addr string) int {
	r, err := http.Get("http://" + addr + "/none")
	if err != nil {
		return 0
	}
	_ = r.Body.Close()
	return r.StatusCode
}

func TestF32NginxInFront(t *testing.T) {
	n := size(1000, 100)
	s := serve(t, "", openRoutes("BELLEVILLE_LIMITS_PING_INTERVAL=1s")...)
	nginx, front := startNginx(t, s.addr)
	sockets := guests(t, front, "/ws/anyone/", n)
	open := func() (count int) {
		for _, c := range sockets {
			if c.isOpen() {
				count++
			}
		}
		return count
	}
	must(t, nginx.Signal(syscall.SIGHUP))
	pass(5 * time.Second) // longer than nginx bears silence
	more := guests(t, front, "/ws/anyone/", 20)
	what := fmt.Sprintf("nginx is reloaded with %d sockets that are silent for 5 s, proxy_read_timeout 3 s, ping 1 s", n)
	row(t, open() == n, "F32", what, fmt.Sprintf("%d open", open()), "all")

	s.signal(syscall.SIGTERM)
	codes, _, _ := endOf(append(sockets, more...))
	code, _ := s.exit()
	what = "SIGTERM behind nginx, and a new server in its place"
	row(t, codes[1012] == n+20 && code == 0, "F32", what, fmt.Sprintf("codes %v, exit code %d", codes, code), "all 1012, 0")
	away := statusOf(front)
	s.start()
	back := waitUntil(t, "it is served again", func() bool { return statusOf(front) == http.StatusNotFound })
	guests(t, front, "/ws/anyone/", 20)
	row(t, away == http.StatusBadGateway && back < 15*time.Second, "F32", what, fmt.Sprintf("meanwhile %d, served again after %s", away, seconds(back)), "502, 15 s (nginx tries again after 10)")
}
