package io.github.sharnn.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/**
 * The Maven commands of CONTRIBUTING.md. Maven compiles a part of the sources as in {@code mvn
 * test}. The tests themselves would take too long here; their names are looked up.
 */
@DisabledOnOs(OS.WINDOWS) // the commands are for a POSIX shell
class ContributingCommandsIT {

  private static final Path ROOT = Path.of("..").toAbsolutePath().normalize();
  private static final Set<String> GENERATED = Set.of("target", ".git");
  private static final Pattern COMMAND = Pattern.compile("(?m)^(mvn .*)$|`(mvn [^`]+)`");

  @TempDir static Path folder;
  private static List<String> commands;

  @BeforeAll
  static void read_the_commands() throws IOException {
    commands = new ArrayList<>();
    Matcher found = COMMAND.matcher(Files.readString(ROOT.resolve("CONTRIBUTING.md")));
    while (found.find()) {
      commands.add(found.group(1) == null ? found.group(2) : found.group(1));
    }
    assertThat(commands).hasSizeGreaterThan(5);
  }

  @Test
  void the_command_for_some_modules_compiles_them() throws Exception {
    String test = "mvn -B test -pl sharnn-train -am";
    assertThat(commands).contains(test);
    copySources();
    String repository = System.getProperty("localRepository");
    String compile =
        test.replace(" test ", " test-compile ")
            + (repository == null ? "" : " '-Dmaven.repo.local=" + repository + "'");
    Path output = folder.resolve("output");
    Process maven =
        new ProcessBuilder("bash", "-c", compile)
            .directory(folder.toFile())
            .redirectErrorStream(true)
            .redirectOutput(output.toFile())
            .start();
    try {
      assertThat(maven.waitFor(5, TimeUnit.MINUTES)).as(compile).isTrue();
    } finally {
      maven.descendants().forEach(ProcessHandle::destroyForcibly);
      maven.destroyForcibly();
    }
    assertThat(maven.exitValue()).as("%s%n%s", compile, Files.readString(output)).isZero();
  }

  @Test
  void modules_profiles_and_tests_exist() throws IOException {
    String poms = "";
    for (Path pom : files("pom.xml")) {
      poms += Files.readString(pom);
    }
    for (String command : commands) {
      for (String module : values(command, "-pl ([\\w-]+)")) {
        assertThat(ROOT.resolve(module).resolve("pom.xml")).as(command).isRegularFile();
      }
      for (String profile : values(command, "-P(\\w+)")) {
        assertThat(poms).as(command).contains("<id>" + profile + "</id>");
      }
      for (String test : values(command, "-Dtest='?(\\w+)")) {
        assertThat(files(test + ".java")).as(command).isNotEmpty();
      }
    }
  }

  private static List<String> values(String command, String regex) {
    return Pattern.compile(regex).matcher(command).results().map(found -> found.group(1)).toList();
  }

  private static List<Path> files(String name) throws IOException {
    List<Path> found = new ArrayList<>();
    visitSources(
        file -> {
          if (file.endsWith(name)) {
            found.add(file);
          }
        });
    return found;
  }

  private static void copySources() throws IOException {
    visitSources(
        file -> {
          Path copy = folder.resolve(ROOT.relativize(file).toString());
          Files.createDirectories(copy.getParent());
          Files.copy(file, copy);
        });
  }

  private interface Visitor {
    void visit(Path file) throws IOException;
  }

  private static void visitSources(Visitor visitor) throws IOException {
    List<Path> roots = new ArrayList<>(List.of(ROOT.resolve("pom.xml")));
    try (Stream<Path> modules = Files.list(ROOT)) {
      modules.filter(path -> Files.exists(path.resolve("pom.xml"))).forEach(roots::add);
    }
    for (Path root : roots) {
      Files.walkFileTree(
          root,
          new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult preVisitDirectory(Path path, BasicFileAttributes attributes) {
              return GENERATED.contains(path.getFileName().toString())
                  ? FileVisitResult.SKIP_SUBTREE
                  : FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
                throws IOException {
              visitor.visit(file);
              return FileVisitResult.CONTINUE;
            }
          });
    }
  }
}
