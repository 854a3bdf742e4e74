/* The last commands of docs/modules.md. BeanShell cannot wait for a process on Java 17. */
def natives = new File(basedir, 'target/native')
natives.mkdirs()
new File(basedir, 'target/modules').listFiles()
    .findAll { it.name.startsWith('pytorch-native-') }
    .each { it.renameTo(new File(natives, it.name)) }
def log = new File(basedir, 'run.log')
def command = [System.getProperty('java.home') + '/bin/java', '-Dai.djl.pytorch.num_threads=1',
    '-p', 'target/classes' + File.pathSeparator + 'target/modules', '-cp', 'target/native/*', '-m', 'app/app.Main']
def process = new ProcessBuilder(command).directory(basedir).redirectErrorStream(true).redirectOutput(log).start()
int code = process.waitFor()
if (code != 0 || !log.text.contains('resumed at step 4')) {
  throw new IllegalStateException("exit code $code on the module path:\n" + log.text)
}
return true
