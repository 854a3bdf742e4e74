///usr/bin/env jbang "$0" "$@" ; exit $?
//JAVA 17+
//DESCRIPTION Continues a text with the pretrained model wiki-bytes
//DEPS io.github.sharnn:sharnn-models:0.1.0-SNAPSHOT
//DEPS ai.djl.pytorch:pytorch-native-cpu:2.7.1:${native:linux-x86_64}
//DEPS ai.djl.pytorch:pytorch-jni:2.7.1-0.36.0
//DEPS org.slf4j:slf4j-simple:2.0.20

import ai.djl.Model;
import io.github.sharnn.SHARNN;
import io.github.sharnn.generate.SHARNNGenerator;

public class Generate {
  public static void main(String[] args) throws Exception {
    String prompt = args.length == 0 ? "The history of " : String.join(" ", args);
    try (Model model = SHARNN.pretrained("wiki-bytes")) {
      System.out.print(prompt);
      SHARNNGenerator.builder(model).temperature(0.8f).build().generate(prompt, System.out::print);
      System.out.println();
    }
  }
}
