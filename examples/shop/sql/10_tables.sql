-- Customers as the CRM knows them. Save the file again and the table follows.
CREATE TABLE crm (user_id TEXT PRIMARY KEY, segment TEXT, country TEXT, ltv DOUBLE PRECISION)
  WITH (connector = 'file', path = 'tables/crm.csv');
