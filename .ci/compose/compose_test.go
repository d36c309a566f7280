// Package compose checks the project's docker-compose.yml, without containers: that Compose's own reference loader
// takes it, that every file it names is there, and that its services agree with each other.
//
// It is a module of its own so that the project does not depend on the loader.
package compose

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// root is the project's folder, seen from this one.
const root = "../.."

func load(t *testing.T) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions(
		[]string{filepath.Join(root, "docker-compose.yml")},
		cli.WithName("belleville"),
		cli.WithInterpolation(true),
		cli.WithResolvedPaths(true),
	)
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func TestServices(t *testing.T) {
	project := load(t)
	for _, name := range []string{"postgres", "django", "belleville", "prometheus"} {
		if _, ok := project.Services[name]; !ok {
			t.Errorf("there is no service %s", name)
		}
	}
	for name, service := range project.Services {
		t.Run(name, func(t *testing.T) {
			checkBuild(t, service)
			checkVolumes(t, service)
			for _, port := range service.Ports {
				if port.HostIP != "127.0.0.1" {
					t.Errorf("port %s is published on %q, want it on 127.0.0.1 only", port.Published, port.HostIP)
				}
			}
		})
	}
}

// checkBuild checks that a service has an image of a fixed version, or all that its build needs.
func checkBuild(t *testing.T, service types.ServiceConfig) {
	t.Helper()
	if service.Build == nil {
		if _, tag, _ := strings.Cut(service.Image, ":"); tag == "" || tag == "latest" {
			t.Errorf("the image %q has no fixed version", service.Image)
		}
		return
	}
	folder := service.Build.Context
	content, err := os.ReadFile(filepath.Join(folder, service.Build.Dockerfile))
	if err != nil {
		t.Fatal(err)
	}
	user := ""
	for line := range strings.Lines(string(content)) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
		case words[0] == "USER":
			user = words[1]
		case words[0] == "COPY" && !strings.HasPrefix(words[1], "--from="):
			checkSources(t, folder, words[1:len(words)-1])
		}
	}
	if user == "" || user == "root" || strings.HasPrefix(user, "0") {
		t.Errorf("the image runs as %q, want a user that is not root", user)
	}
}

func checkSources(t *testing.T, folder string, sources []string) {
	t.Helper()
	for _, source := range sources {
		if _, err := os.Stat(filepath.Join(folder, source)); err != nil {
			t.Errorf("the Dockerfile copies what is not there: %v", err)
		}
	}
}

func checkVolumes(t *testing.T, service types.ServiceConfig) {
	t.Helper()
	for _, volume := range service.Volumes {
		if volume.Type != types.VolumeTypeBind {
			continue
		}
		info, err := os.Stat(volume.Source)
		if err != nil {
			t.Errorf("a volume's source: %v", err)
			continue
		}
		if info.IsDir() {
			t.Errorf("the volume %s is a folder, want a file", volume.Source)
		}
		if !volume.ReadOnly {
			t.Errorf("the volume %s may be written, want it read-only", volume.Source)
		}
	}
}

func TestServicesAgree(t *testing.T) {
	project := load(t)
	django, belleville := project.Services["django"], project.Services["belleville"]
	postgres := project.Services["postgres"]

	t.Run("Django and Belleville have the same secret key", func(t *testing.T) {
		got, want := variable(t, belleville, "BELLEVILLE_DJANGO_SECRET_KEY"), variable(t, django, "SECRET_KEY")
		if got != want {
			t.Errorf("Belleville's key is %q, want Django's, %q", got, want)
		}
	})
	for service, name := range map[string]string{"django": "DATABASE_URL", "belleville": "BELLEVILLE_DJANGO_DATABASE_URL"} {
		t.Run(service+" names the database that postgres makes", func(t *testing.T) {
			u, err := url.Parse(variable(t, project.Services[service], name))
			if err != nil {
				t.Fatal(err)
			}
			password, _ := u.User.Password()
			got := []string{u.Hostname(), u.Path, u.User.Username(), password}
			want := []string{
				"postgres", "/" + variable(t, postgres, "POSTGRES_DB"),
				variable(t, postgres, "POSTGRES_USER"), variable(t, postgres, "POSTGRES_PASSWORD"),
			}
			if strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Errorf("database = %q, want %q", got, want)
			}
		})
	}
	t.Run("Belleville is published at the port that it listens on", func(t *testing.T) {
		if len(belleville.Ports) != 1 {
			t.Fatalf("%d ports are published, want 1", len(belleville.Ports))
		}
		got, want := fmt.Sprintf(":%d", belleville.Ports[0].Target), variable(t, belleville, "BELLEVILLE_LISTEN")
		if got != want {
			t.Errorf("published is %q, want %q", got, want)
		}
	})
	t.Run("the pages open their sockets where Belleville is published", func(t *testing.T) {
		got, want := variable(t, django, "WEBSOCKETS_URL"), ":"+belleville.Ports[0].Published
		if got != want {
			t.Errorf("the pages go to %q, want %q", got, want)
		}
	})
	t.Run("Prometheus asks Belleville's admin listener", func(t *testing.T) {
		config, err := os.ReadFile(filepath.Join(root, "examples", "django", "prometheus.yml"))
		if err != nil {
			t.Fatal(err)
		}
		target := "belleville" + variable(t, belleville, "BELLEVILLE_ADMIN_LISTEN")
		if !strings.Contains(string(config), `targets: ["`+target+`"]`) {
			t.Errorf("prometheus.yml does not name %s:\n%s", target, config)
		}
	})
}

// variable is a service's environment variable.
func variable(t *testing.T, service types.ServiceConfig, name string) string {
	t.Helper()
	value := service.Environment[name]
	if value == nil || *value == "" {
		t.Fatalf("the service %s has no variable %s", service.Name, name)
	}
	return *value
}
