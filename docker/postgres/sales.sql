CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL, country text NOT NULL);
CREATE TABLE orders (
  id int PRIMARY KEY,
  customer_id int NOT NULL REFERENCES customers,
  ordered_on date NOT NULL,
  amount numeric(10, 2) NOT NULL
);
INSERT INTO customers
  SELECT n, 'Customer ' || n, (ARRAY['Chile', 'Ghana', 'Japan', 'Norway'])[1 + n % 4] FROM generate_series(1, 40) n;
INSERT INTO orders
  SELECT n, 1 + n % 40, DATE '2026-01-01' + n % 300, (n % 97) * 10 + 0.50 FROM generate_series(1, 1000) n;
\set password `cat /var/run/sales/readonly/password`
CREATE ROLE sales_reader LOGIN PASSWORD :'password';
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO sales_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO sales_reader;
