"""Apache Kafka without Docker: Maven fetches the server that `pom.xml` pins; one broker or three run on loopback."""
